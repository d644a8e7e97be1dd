package cli

import (
	"context"
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
	"ingot.dev/certs"
	"ingot.dev/kernel/bootparam"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
	"ingot.dev/tools/imx"
	"ingot.dev/tools/ingot/internal/devrun"
	"ingot.dev/tools/ingot/internal/flash"
	"ingot.dev/tools/ingot/internal/sizes"
	"ingot.dev/tools/ingot/internal/storeedit"
)

// Exit statuses of the ingot command. Programs rely on them: they don't change.
const (
	ExitOK          = 0
	ExitFailure     = 1   // the command ran and failed
	ExitUsage       = 2   // the command line was not understood
	ExitNoTool      = 3   // a program that the command needs is not installed
	ExitInput       = 4   // a file it was given can't be read, or is not good
	ExitOutput      = 5   // what it makes can't be written
	ExitInterrupted = 130 // Ctrl-C
)

func newExitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the command's exit status says",
		Long: `The exit status of every command says what kind of end it came to:

  0    it did what it was asked to
  1    it failed: the program doesn't build, the image is too large, a test
       failed, the firmware ended, a benchmark is worse than before
  2    the command line was not understood: a flag, an argument, a board
  3    a program is not installed: go, qemu-system-arm, imx_usb; 'ingot doctor' says
       which and how to get it
  4    a file is not there, can't be read or is not good: a certificate that has
       expired, a key that belongs to another, a wrong password, an image
       without symbols
  5    a file can't be written: no permission, no room, or it is there already; a card
       that is in use, too small or bad
  130  it was interrupted by Ctrl-C before it was done

'ingot exec' and 'ingot debug' end with the status of the program, and 'ingot test'
with that of 'go test'. Standard error has the reason, and what to do about it.`,
	}
}

// badInput gives an error the exit status of a bad input file.
func badInput(err error) error { return withCode(ExitInput, err) }

// cannotWrite gives an error the exit status of a file that can't be written.
func cannotWrite(err error) error { return withCode(ExitOutput, err) }

// badFlag gives an error the exit status of a flag's value that makes no sense.
func badFlag(err error) error { return withCode(ExitUsage, err) }

func withCode(code int, err error) error {
	var exit *ExitError
	if err == nil || errors.As(err, &exit) {
		return err // what is nearer to the cause knows better
	}
	return &ExitError{Code: code, Err: err}
}

// exitCode is the exit status for an error that no command has given one.
func exitCode(ctx context.Context, err error) int {
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	var file *certs.FileError
	var format *elf.FormatError
	switch {
	case ctx.Err() != nil && is(context.Canceled):
		return ExitInterrupted
	case noTemp(err):
		return ExitOutput
	case is(boards.ErrUnknown, bootparam.ErrInvalid, storeedit.ErrName):
		return ExitUsage
	case is(qemu.ErrNoQEMU, image.ErrNoGo, exec.ErrNotFound, flash.ErrNoLoader):
		return ExitNoTool
	case is(storeedit.ErrExists, fs.ErrPermission, fs.ErrExist, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EFBIG,
		flash.ErrNotDisk, flash.ErrTooSmall, flash.ErrInUse, flash.ErrVerify, image.ErrOutput):
		return ExitOutput
	case is(storeedit.ErrUnsound, fs.ErrNotExist, syscall.ENOTDIR, sizes.ErrNoSymbols, imx.ErrInvalid, devrun.ErrNoAuthority), errors.As(err, &file), errors.As(err, &format):
		return ExitInput
	}
	return ExitFailure
}

// remedies say what to do about what the system says, by exit status.
var remedies = []struct {
	code   int
	cause  error
	remedy string
}{
	{ExitOutput, syscall.ENOSPC, "There is no room left there: make some, or write elsewhere."},
	{ExitOutput, syscall.EDQUOT, "Your share of the disk is used up: make room, or write elsewhere."},
	{ExitOutput, syscall.EFBIG, "It is more than you may write to one file: 'ulimit -f' has the limit."},
	{ExitOutput, syscall.EROFS, "Nothing can be written there: write elsewhere."},
	{ExitOutput, syscall.ENOTDIR, "A part of that path is a file: write elsewhere, or move the file away."},
	{ExitOutput, fs.ErrPermission, "You may not write there: write elsewhere, or get the right to."},
	{ExitOutput, fs.ErrNotExist, "The folder isn't there: make it first, or write elsewhere."},
	{ExitInput, syscall.ENOTDIR, "It, or a part of that path, is a file: give a folder."},
	{ExitInput, fs.ErrNotExist, "Is the name right, and are you in the right folder?"},
	{ExitInput, fs.ErrPermission, "You may not read it: get the right to, or give another."},
	{ExitInput, syscall.EISDIR, "It is a folder: name a file in it."},
	{ExitNoTool, nil, "'ingot doctor' says what else is missing."},
}

// noTemp reports whether an error is about the folder for temporary files, or what is
// right in it.
func noTemp(err error) bool {
	temp := filepath.Clean(os.TempDir())
	path, ok := errors.AsType[*fs.PathError](err)
	return ok && (filepath.Clean(path.Path) == temp || filepath.Dir(path.Path) == temp && strings.HasPrefix(filepath.Base(path.Path), "ingot-"))
}

// remedy is what to do about an error that doesn't say so itself.
func remedy(exit *ExitError) string {
	if exit.Code == ExitOutput && noTemp(exit.Err) {
		return "That is the folder for temporary files: export TMPDIR=FOLDER, one with room that you may write."
	}
	for _, r := range remedies {
		if r.code == exit.Code && (r.cause == nil || errors.Is(exit.Err, r.cause)) {
			return r.remedy
		}
	}
	return ""
}
