// Package wire is what host and guest say to each other: one control channel
// of JSON messages and three channels that carry the standard streams.
//
// Order of a session: the guest sends Hello, the host Job, the guest Running
// when the command was started. Then stdin flows one way, stdout and stderr
// the other, Signal and Size may follow at any time. The guest ends with the
// end of both output streams and Exit, in any order between the channels, or,
// when it cannot go on, with Fail instead of Exit.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// Names of the four channels; in the guest they are virtio-serial ports.
const (
	Control = "apkern.control"
	Stdin   = "apkern.stdin"
	Stdout  = "apkern.stdout"
	Stderr  = "apkern.stderr"
)

// Channels lists the names in the order in which both sides open them.
var Channels = [...]string{Control, Stdin, Stdout, Stderr}

// Size is a terminal's, in characters.
type Size struct {
	Rows, Cols uint16
}

// Sharing is how the guest gets the host's directories: by this type of file
// system, in mount(2)'s words.
type Sharing string

// The two that QEMU has.
const (
	NineP    Sharing = "9p"
	VirtioFS Sharing = "virtiofs"
)

// Share is a host directory that the guest mounts read-write at the same path.
type Share struct {
	Tag  string // what mount(2) calls it
	Path string // absolute
}

// Job is what the guest is to do.
type Job struct {
	Args    []string // command and arguments; never empty
	Env     []string // NAME=VALUE; all of the command's environment
	Dir     string   // working directory
	TTY     *Size    // run on a terminal of its own of that size; nil: plain streams
	Sharing Sharing
	Shares  []Share
	// Insert is set when the application kernel's module is to be inserted,
	// with these parameters, before the command runs.
	Insert bool
	Params string
}

// ToGuest is a message from the host; exactly one field is set.
type ToGuest struct {
	Job    *Job  `json:",omitempty"`
	Signal int   `json:",omitempty"` // signal number for the command's process group
	Size   *Size `json:",omitempty"` // the terminal has a new size
}

// ToHost is a message from the guest; exactly one field is set.
type ToHost struct {
	Hello    bool   `json:",omitempty"`
	Progress string `json:",omitempty"` // what it is about to do
	Running  bool   `json:",omitempty"`
	Exit     *int   `json:",omitempty"` // the command's status, 128+n for a signal
	Fail     string `json:",omitempty"` // why the guest cannot do the job; one line
}

// Conn is the control channel as one side sees it: S is sent, R received.
// Send may be used by several goroutines only one at a time.
type Conn[S, R any] struct {
	enc *json.Encoder
	dec *json.Decoder
}

// NewConn puts messages on rw.
func NewConn[S, R any](rw io.ReadWriter) *Conn[S, R] {
	return &Conn[S, R]{json.NewEncoder(rw), json.NewDecoder(rw)}
}

// Send writes one message.
func (c *Conn[S, R]) Send(m S) error { return c.enc.Encode(m) }

// Receive reads the next message; io.EOF when the other side is gone.
func (c *Conn[S, R]) Receive() (R, error) {
	var m R
	err := c.dec.Decode(&m)
	return m, err
}

// maxChunk bounds one chunk of a stream: a virtio-serial port takes 32 KiB at a time.
const maxChunk = 32<<10 - 4

// Writer sends a stream in chunks: a 32-bit big-endian length and as many
// bytes. Length zero is the end of the stream, which a virtio-serial port
// itself cannot carry.
type Writer struct {
	w   io.Writer
	buf []byte
}

// NewWriter returns a Writer on a stream channel.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, buf: make([]byte, 0, maxChunk+4)} }

// Write sends p in one or more chunks.
func (w *Writer) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n := min(len(p)-done, maxChunk)
		if err := w.chunk(p[done : done+n]); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// ReadFrom sends what r has, each read as one chunk, until io.EOF.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	buf := make([]byte, maxChunk)
	var done int64
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := w.chunk(buf[:n]); err != nil {
				return done, err
			}
			done += int64(n)
		}
		if err == io.EOF {
			return done, nil
		}
		if err != nil {
			return done, err
		}
	}
}

// Close sends the end of the stream; it leaves the channel open.
func (w *Writer) Close() error { return w.chunk(nil) }

func (w *Writer) chunk(p []byte) error {
	w.buf = binary.BigEndian.AppendUint32(w.buf[:0], uint32(len(p)))
	w.buf = append(w.buf, p...)
	_, err := w.w.Write(w.buf)
	return err
}

// Reader is the other end of a Writer.
type Reader struct {
	r    io.Reader
	left uint32 // of the current chunk
	end  bool
}

// NewReader returns a Reader on a stream channel.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Read returns io.EOF at the end of the stream and io.ErrUnexpectedEOF when
// the channel ends before it.
func (r *Reader) Read(p []byte) (int, error) {
	if r.end {
		return 0, io.EOF
	}
	if r.left == 0 {
		if err := r.header(); err != nil {
			return 0, err
		}
	}
	if uint32(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.r.Read(p)
	r.left -= uint32(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// header reads the next chunk's length into r.left.
func (r *Reader) header() error {
	var h [4]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n > maxChunk {
		return fmt.Errorf("chunk of %d bytes: the channel is out of step", n)
	}
	r.left = n
	if n == 0 {
		r.end = true
		return io.EOF
	}
	return nil
}
