package runner

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"apkern/internal/bench"
)

const hello = `#include <stdio.h>

int main(void)
{
	puts("hello");
	return 0;
}
`

// FillScratch makes the files that benchmarks read: the same on every machine.
func FillScratch(dir string) error {
	for name, text := range map[string]string{bench.ScratchText: words(1 << 20), bench.ScratchSource: hello} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for i := range 1000 {
		file := filepath.Join(dir, bench.ScratchTree, fmt.Sprint(i/100), fmt.Sprint(i/10%10), fmt.Sprintf("file%d", i))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte{'x'}, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// words is text of about so many bytes that compresses as prose does.
func words(size int) string {
	random := rand.New(rand.NewPCG(1, 2))
	list := make([]string, 2000)
	for i := range list {
		word := make([]byte, 2+random.IntN(8))
		for j := range word {
			word[j] = 'a' + byte(random.IntN(26))
		}
		list[i] = string(word)
	}
	var b strings.Builder
	for b.Len() < size {
		// Few words are frequent.
		b.WriteString(list[random.IntN(1+random.IntN(len(list)))])
		b.WriteByte(' ')
	}
	return b.String()
}
