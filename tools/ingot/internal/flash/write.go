package flash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// pieceSize is how much is written, and read, at once.
const pieceSize = 1 << 20

// Write writes an image to the start of a target, and reads it back. Of a file that is
// there already, and longer, the rest stays, as it would on a card. Progress, which may be
// nil, is told how many bytes of twice the image's are done. Errors are those of the
// files, ctx's, ErrInUse or ErrVerify.
func Write(ctx context.Context, t Target, image []byte, force bool, progress func(done int64)) (err error) {
	var f *os.File
	if t.Device {
		f, err = openDisk(t.Path, force)
	} else {
		f, err = os.OpenFile(t.Path, os.O_RDWR|os.O_CREATE, 0o600) // private keys may be in it
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if progress == nil {
		progress = func(int64) {}
	}
	for at := 0; at < len(image); at += pieceSize {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %d of %d bytes are written: %w", t.Path, at, len(image), context.Cause(ctx))
		}
		if _, err := f.WriteAt(image[at:min(at+pieceSize, len(image))], int64(at)); err != nil {
			return err
		}
		progress(int64(min(at+pieceSize, len(image))))
	}
	if err := f.Sync(); err != nil {
		return err
	}
	forget(f, t.Device)
	if err := verify(ctx, f, image, progress); err != nil {
		return fmt.Errorf("%s: %w", t.Path, err)
	}
	if t.Device {
		reread(f)
	}
	return nil
}

// verify compares what is stored with what should be.
func verify(ctx context.Context, r io.ReaderAt, image []byte, progress func(int64)) error {
	piece := make([]byte, pieceSize)
	for at := 0; at < len(image); at += pieceSize {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("not compared from byte %d on: %w", at, context.Cause(ctx))
		}
		want := image[at:min(at+pieceSize, len(image))]
		got := piece[:len(want)]
		if n, err := r.ReadAt(got, int64(at)); n < len(got) {
			return err
		}
		if !bytes.Equal(got, want) {
			i := 0
			for got[i] == want[i] {
				i++
			}
			return fmt.Errorf("%w: byte %d is %#x, not %#x; try another card", ErrVerify, at+i, got[i], want[i])
		}
		progress(int64(len(image) + at + len(want)))
	}
	return nil
}
