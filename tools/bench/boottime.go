package bench

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"ingot.dev/firmware/bench"
	"ingot.dev/qemu"
	"ingot.dev/tools/boottime"
	"ingot.dev/tools/image"
)

// BootTime builds the default firmware with its symbols, boots it in QEMU and returns
// what it does until the first TLS handshake. Of opt, it takes Board, Certs and
// Progress.
func BootTime(ctx context.Context, opt ProfileOptions) (*boottime.Timeline, error) {
	return middleBoot(ctx, opt, 1)
}

// middleBoot returns the median of several boots. While the machine is stopped, its clock
// moves now and then, and a timer comes that would have come later.
func middleBoot(ctx context.Context, opt ProfileOptions, boots int) (*boottime.Timeline, error) {
	if _, err := qemu.Find(opt.Board); err != nil {
		return nil, err
	}
	client, err := clientConfig(opt.Certs)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ingot-boottime-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if opt.Progress != nil {
		fmt.Fprintln(opt.Progress, "building the default image, with symbols")
	}
	im, err := image.Build(ctx, image.Options{
		Package: []string{firmwarePackage}, Output: filepath.Join(dir, "boot.elf"), Board: opt.Board, Symbols: true,
	})
	if err != nil {
		return nil, err
	}
	var lines []*boottime.Timeline
	for range boots {
		line, err := boottime.Trace(ctx, boottime.Options{
			Image: im.Path, Board: opt.Board, Port: bench.PortEcho, Ready: readyLine, TLS: client,
		})
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return medianBoot(lines), nil
}

func medianBoot(lines []*boottime.Timeline) *boottime.Timeline {
	slices.SortFunc(lines, func(a, b *boottime.Timeline) int {
		return cmp.Compare(a.Total().Instructions(), b.Total().Instructions())
	})
	return lines[len(lines)/2]
}

// countedBoots is how many there are, of which the median counts.
const countedBoots = 3

// bootInstructions counts those of a boot, and of its largest parts.
func (r *run) bootInstructions(ctx context.Context) error {
	line, err := middleBoot(ctx, ProfileOptions{Board: r.opt.Board, Certs: r.opt.Certs, Progress: r.opt.Progress}, countedBoots)
	if err != nil {
		return err
	}
	r.result.section("Instructions of a boot")
	for _, s := range line.Steps {
		if s.Instructions() >= 1_000_000 {
			r.result.add("count.boot."+s.Name, s.Name, float64(s.Instructions()), unitInstructions, "")
		}
	}
	r.result.add("count.boot", "from reset to the first handshake", float64(line.Total().Instructions()), unitInstructions, "with that")
	return nil
}
