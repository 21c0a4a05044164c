package act

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/stdevel/katprep"
)

// A Journal keeps what a run is about to do and did, for ever and in order.
type Journal interface {
	// Append adds entries, numbers them, and returns when they are safe from
	// a crash. Entries without a time get the present one. After an error
	// nothing more can be appended. It may be called from any goroutine.
	Append(es ...katprep.Entry) error
	// Entries yields all entries in order.
	Entries() iter.Seq2[katprep.Entry, error]
}

// A FileJournal is a journal in a file of JSON lines.
type FileJournal struct {
	path     string
	f        *os.File
	mu       sync.Mutex
	seq      int
	buf      *bytes.Buffer // being filled
	spare    *bytes.Buffer // being written
	batch    *batch
	flushing bool
	err      error
}

// A batch is what is synced at once on behalf of several callers.
type batch struct {
	done chan struct{}
	err  error
}

const maxLine = 16 << 20

// OpenJournal opens or makes the journal at the path. A last line that a
// crash tore is cut off: its action was not begun. Any other damage is an
// error of kind katprep.Corrupt.
func OpenJournal(path string) (*FileJournal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make journal: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &FileJournal{path: path, f: f, buf: &bytes.Buffer{}, spare: &bytes.Buffer{}}
	if err := j.recover(); err != nil {
		f.Close()
		return nil, err
	}
	return j, syncDir(filepath.Dir(path))
}

// recover counts the entries and cuts off a torn line.
func (j *FileJournal) recover() error {
	var good int64
	torn := false
	for line, err := range lines(j.f) {
		var e katprep.Entry
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			torn = true
		case err != nil:
			return katprep.Errorf(katprep.Corrupt, "read journal %s: %w", j.path, err)
		default:
			if err := json.Unmarshal(line, &e); err != nil || e.Seq != j.seq+1 {
				return katprep.Errorf(katprep.Corrupt, "journal %s, line %d: entry %d follows %d: %w", j.path, j.seq+1, e.Seq, j.seq, err).
					WithHint("the archive holds a copy as of the last stage's end: move the file away to begin from that")
			}
			j.seq++
			good += int64(len(line)) + 1
		}
	}
	if torn {
		if err := j.f.Truncate(good); err != nil {
			return fmt.Errorf("repair journal: %w", err)
		}
		if err := j.f.Sync(); err != nil {
			return fmt.Errorf("repair journal: %w", err)
		}
	}
	_, err := j.f.Seek(good, io.SeekStart)
	return err
}

// lines yields lines without their ends; a last one without an end comes
// with io.ErrUnexpectedEOF.
func lines(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		var line []byte
		for {
			part, err := b.ReadSlice('\n')
			line = append(line, part...)
			switch {
			case len(line) > maxLine:
				yield(nil, fmt.Errorf("a line of more than %d bytes", maxLine))
				return
			case errors.Is(err, bufio.ErrBufferFull):
				continue
			case errors.Is(err, io.EOF):
				if len(line) > 0 {
					yield(line, io.ErrUnexpectedEOF)
				}
				return
			case err != nil:
				yield(nil, err)
				return
			case !yield(line[:len(line)-1], nil):
				return
			}
			line = line[:0]
		}
	}
}

// Append writes and syncs; calls that come at the same time share one sync.
func (j *FileJournal) Append(es ...katprep.Entry) error {
	if len(es) == 0 {
		return nil
	}
	j.mu.Lock()
	if j.err == nil {
		j.err = j.encode(es)
	}
	if j.err != nil {
		defer j.mu.Unlock()
		return j.err
	}
	if j.batch == nil {
		j.batch = &batch{done: make(chan struct{})}
	}
	b := j.batch
	if !j.flushing {
		j.flushing = true
		go j.flush()
	}
	j.mu.Unlock()
	<-b.done
	return b.err
}

func (j *FileJournal) encode(es []katprep.Entry) error {
	for _, e := range es {
		e.Seq = j.seq + 1
		if e.At.IsZero() {
			e.At = time.Now()
		}
		e.At = e.At.UTC().Truncate(time.Millisecond)
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if len(line) > maxLine {
			return katprep.Errorf(katprep.Internal, "journal: an entry of %d bytes", len(line))
		}
		j.seq++
		j.buf.Write(line)
		j.buf.WriteByte('\n')
	}
	return nil
}

// flush writes what has gathered until nothing has.
func (j *FileJournal) flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.batch != nil {
		b, full := j.batch, j.buf
		j.batch, j.buf, j.spare = nil, j.spare, full
		j.buf.Reset()
		j.mu.Unlock()
		_, err := j.f.Write(full.Bytes())
		if err == nil {
			err = j.f.Sync()
		}
		j.mu.Lock()
		if err != nil && j.err == nil {
			j.err = katprep.Errorf(katprep.Internal, "write journal %s: %w", j.path, err)
		}
		b.err = j.err
		close(b.done)
	}
	j.flushing = false
}

// Len is how many entries there are.
func (j *FileJournal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seq
}

// Entries reads the file from its beginning.
func (j *FileJournal) Entries() iter.Seq2[katprep.Entry, error] {
	return func(yield func(katprep.Entry, error) bool) {
		f, err := os.Open(j.path)
		if err != nil {
			yield(katprep.Entry{}, fmt.Errorf("read journal: %w", err))
			return
		}
		defer f.Close()
		for e, err := range ReadJournal(f) {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return // being written just now
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// ReadJournal yields the entries of a journal file. A torn last line is
// io.ErrUnexpectedEOF.
func ReadJournal(r io.Reader) iter.Seq2[katprep.Entry, error] {
	return func(yield func(katprep.Entry, error) bool) {
		for line, err := range lines(r) {
			var e katprep.Entry
			if err == nil {
				if jerr := json.Unmarshal(line, &e); jerr != nil {
					err = katprep.Errorf(katprep.Corrupt, "journal: %w", jerr)
				}
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Close closes the file. Everything appended is safe already.
func (j *FileJournal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = katprep.Errorf(katprep.Internal, "journal %s is closed", j.path)
	}
	return j.f.Close()
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Recorded returns a journal of entries that nothing can be appended to.
func Recorded(es []katprep.Entry) Journal { return recorded(es) }

type recorded []katprep.Entry

// Append is an error.
func (recorded) Append(...katprep.Entry) error {
	return katprep.Errorf(katprep.Internal, "a recorded journal was to be written")
}

// Entries yields the entries.
func (r recorded) Entries() iter.Seq2[katprep.Entry, error] {
	return func(yield func(katprep.Entry, error) bool) {
		for _, e := range r {
			if !yield(e, nil) {
				return
			}
		}
	}
}
