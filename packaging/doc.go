// Package packaging has what becomes Debian packages, and tests that it agrees
// with what is packaged.
package packaging
