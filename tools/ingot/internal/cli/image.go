package cli

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/board/boards"
	"ingot.dev/internal/atomicfile"
	"ingot.dev/tools/image"
	"ingot.dev/tools/imx"
)

// An imageForm is a form that an image can have.
type imageForm struct {
	name, ext, what string
}

var imageForms = []imageForm{
	{"sd", ".img", "an SD card or eMMC from its first byte on"},
	{"imx", ".imx", "what the boot ROM of an i.MX6 processor loads: at byte 1024 of a card, or over USB"},
	{"bin", ".bin", "bytes to be copied to RAM, for boot loaders that know no format"},
	{"elf", ".elf", "for boot loaders that load ELF files, and QEMU"},
}

func formatNames() []string {
	var names []string
	for _, f := range imageForms {
		names = append(names, f.name)
	}
	return names
}

// chooseFormat finds the format that was asked for, by name or by the ending of the
// output's name.
func chooseFormat(name, output string) (imageForm, error) {
	for _, f := range imageForms {
		if f.name == name || name == "" && output != "" && filepath.Ext(output) == f.ext {
			return f, nil
		}
	}
	switch {
	case name != "":
		return imageForm{}, fmt.Errorf("--format %q: there are %s", name, strings.Join(formatNames(), ", "))
	case output != "":
		return imageForm{}, fmt.Errorf("%s: which format? Give --format, or a name that ends in .img, .imx, .bin or .elf", output)
	}
	return imageForms[0], nil
}

// convertedInfo is what 'image --json' prints. Addresses are physical.
type convertedInfo struct {
	Path   string  `json:"path"`
	Format string  `json:"format"`
	Board  string  `json:"board"`
	Size   int64   `json:"size"`
	SHA256 string  `json:"sha256"`
	Load   *uint32 `json:"load,omitempty"` // where byte 0 goes: bin, and sd and imx for byte 0 of the card
	Entry  *uint32 `json:"entry,omitempty"`
}

func newImageCommand() *cobra.Command {
	var flags buildFlags
	var output, formatName string
	var asJSON bool
	var list strings.Builder
	for _, f := range imageForms {
		fmt.Fprintf(&list, "  %-4s NAME%s  %s\n", f.name, f.ext, f.what)
	}
	cmd := &cobra.Command{
		Use:   "image [PACKAGE|FILE.go...|IMAGE.elf]",
		Short: "Make an SD card image, or another form of an image for a board",
		Long: `image brings an image into the form that a board is started with. It builds a program
first, or takes an image that is built; without an argument it takes the program in the
current folder, or else Ingot's default firmware. The forms are

` + list.String() + `
The first is the default; otherwise the output's name or --format says which. SD card
images and .imx files carry the board's memory set-up, so they are for the board that
the program was built for only. 'ingot flash' makes them itself, and writes them.`,
		Example: `  ingot image --board usbarmory -o sensor.img ./sensor
  ingot image --config examples/gateway/ingot.toml
  ingot image -o sensor.imx sensor.elf
  ingot image --format bin sensor.elf`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return packageArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := chooseFormat(formatName, output)
			if err != nil {
				return usageError(cmd, err)
			}
			p, err := flags.program(cmd, args)
			if err != nil {
				return err
			}
			defer p.done()
			if output == "" {
				name, err := imageName([]string{strings.TrimSuffix(p.names[0], ".elf")})
				if err != nil {
					return err
				}
				output = strings.TrimSuffix(name, ".elf") + f.ext
			}
			elf, done, err := builtImage(cmd, &flags, p)
			if err != nil {
				return err
			}
			defer done()
			board, err := boardOf(cmd, &flags, elf)
			if err != nil {
				return err
			}
			data, info, err := convert(elf, board, f)
			if err != nil {
				return badInput(err)
			}
			// Private keys may be in it.
			err = atomicfile.Write(output, private, func(w io.Writer) error { _, err := w.Write(data); return err })
			if err != nil {
				return cannotWrite(err)
			}
			info.Path = output
			if asJSON {
				return answer(cmd, info)
			}
			line := fmt.Sprintf("%s: %s for %s, %.2f MB", output, f.name, board.Name, float64(info.Size)/1e6)
			if f.name == "bin" {
				line += fmt.Sprintf("; load it at %#x and jump there", *info.Load)
			}
			fmt.Fprintln(cmd.OutOrStdout(), line)
			return nil
		},
	}
	flags.register(cmd.Flags())
	flags.registerConfig(cmd)
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "", "`file` to write (default: the program's name with the format's ending)")
	f.StringVar(&formatName, "format", "", "`form` of the image: "+strings.Join(formatNames(), ", "))
	cmd.RegisterFlagCompletionFunc("format", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return formatNames(), cobra.ShellCompDirectiveNoFileComp
	})
	addJSON(cmd, &asJSON)
	return cmd
}

// builtImage returns the ELF image that p is, or that it builds of it.
// Done removes what it made.
func builtImage(cmd *cobra.Command, flags *buildFlags, p *program) (elf string, done func(), err error) {
	if filepath.Ext(p.packages[0]) == ".elf" {
		if len(p.packages) > 1 {
			return "", nil, usageError(cmd, errors.New("give one image"))
		}
		return p.packages[0], func() {}, isELF(p.packages[0])
	}
	dir, err := os.MkdirTemp("", "ingot-image-")
	if err != nil {
		return "", nil, err
	}
	done = func() { os.RemoveAll(dir) }
	elf = filepath.Join(dir, "image.elf")
	opt := flags.options(p.packages, elf)
	main, err := image.MainDir(cmd.Context(), opt)
	if err == nil {
		err = checkCerts(main)
	}
	if err == nil {
		_, err = flags.build(cmd, opt)
	}
	if err != nil {
		done()
		return "", nil, err
	}
	return elf, done, nil
}

// boardOf is the board that an image was built for, which the image says itself.
func boardOf(cmd *cobra.Command, flags *buildFlags, file string) (boards.Board, error) {
	f, err := os.Open(file)
	if err != nil {
		return boards.Board{}, badInput(err)
	}
	defer f.Close()
	return boardIn(cmd, flags, f, file)
}

func boardIn(cmd *cobra.Command, flags *buildFlags, elf io.ReaderAt, name string) (boards.Board, error) {
	asked, err := boards.ByName(flags.board)
	if err != nil {
		return asked, err
	}
	built := builtFor(elf)
	changed := cmd.Flags().Changed("board")
	switch {
	case built == "" && !changed:
		return asked, badInput(fmt.Errorf("%s does not say for which board it was built; say so with --board", name))
	case built == "":
		return asked, nil
	case changed && built != asked.Name:
		return asked, badInput(fmt.Errorf("%s was built for %s, not for %s", name, built, asked.Name))
	}
	return boards.ByName(built)
}

// builtFor is the board's tag among those that an image was built with.
func builtFor(elf io.ReaderAt) string {
	info, err := buildinfo.Read(elf)
	if err != nil {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key != "-tags" {
			continue
		}
		for tag := range strings.SplitSeq(s.Value, ",") {
			if slices.Contains(boards.Names(), tag) {
				return tag
			}
		}
	}
	return ""
}

// convert makes a format of an ELF image.
func convert(elf string, b boards.Board, f imageForm) (data []byte, info convertedInfo, err error) {
	info = convertedInfo{Format: f.name, Board: b.Name}
	flat, err := imx.Flatten(elf)
	if err != nil {
		return nil, info, err
	}
	switch f.name {
	case "elf":
		data, err = os.ReadFile(elf)
		info.Entry = &flat.Entry
	case "bin":
		var addr uint32
		data, addr, err = flat.Binary()
		info.Load, info.Entry = &addr, &addr
	default:
		var boot *imx.Image
		if boot, err = flat.Boot(imx.DCD(b)); err != nil {
			break
		}
		info.Load, info.Entry = &boot.Start, &boot.Entry
		if f.name == "imx" {
			data, err = boot.Encode()
		} else {
			data, err = boot.Card()
		}
	}
	if err != nil {
		return nil, info, fmt.Errorf("%s: %w", elf, err)
	}
	info.Size = int64(len(data))
	sum := sha256.Sum256(data)
	info.SHA256 = hex.EncodeToString(sum[:])
	return data, info, nil
}

// bootImage returns the boot image in a file, whatever its form, or in what is built from a
// program, and its board.
func bootImage(cmd *cobra.Command, flags *buildFlags, p *program) ([]byte, boards.Board, error) {
	args := p.packages
	ext := filepath.Ext(args[0])
	if ext != ".imx" && ext != ".img" {
		elf, done, err := builtImage(cmd, flags, p)
		if err != nil {
			return nil, boards.Board{}, err
		}
		defer done()
		b, err := boardOf(cmd, flags, elf)
		if err != nil {
			return nil, b, err
		}
		data, _, err := convert(elf, b, imageForms[1])
		return data, b, badInput(err)
	}
	if len(args) > 1 {
		return nil, boards.Board{}, usageError(cmd, errors.New("give one image"))
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return nil, boards.Board{}, badInput(err)
	}
	if ext == ".img" {
		data = data[min(imx.IVTOffset, len(data)):]
	}
	boot, err := imx.Parse(data)
	if err != nil {
		return nil, boards.Board{}, badInput(fmt.Errorf("%s: %w", args[0], err))
	}
	b, err := boardIn(cmd, flags, bytes.NewReader(elfOf(boot.Body)), args[0])
	return data, b, err
}

// elfOf makes an ELF file again of the bytes that an image of ours has in RAM: they begin
// with its header, and have the segments at their places, but the names of its sections are
// lost. Package buildinfo wants one of them (since Go 1.27), so there is a new table, in
// which that is all of the first segment with variables. It returns nil if body is no such
// image.
func elfOf(body []byte) []byte {
	file := bytes.Clone(body)
	clearSections(file)
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 })
	if i < 0 {
		return nil
	}
	data := f.Progs[i].ProgHeader
	const names = "\x00.go.buildinfo\x00.shstrtab\x00"
	file = append(file, names...)
	table := len(file)
	for _, section := range []elf.Section32{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Addr: uint32(data.Vaddr), Off: uint32(data.Off), Size: uint32(data.Filesz)},
		{Name: uint32(strings.Index(names, ".shstrtab")), Type: uint32(elf.SHT_STRTAB), Off: uint32(len(body)), Size: uint32(len(names))},
	} {
		if file, err = binary.Append(file, binary.LittleEndian, section); err != nil {
			return nil
		}
	}
	binary.LittleEndian.PutUint32(file[offShoff:], uint32(table))
	binary.LittleEndian.PutUint16(file[offShnum:], 3)
	binary.LittleEndian.PutUint16(file[offShstrndx:], 2)
	return file
}

// Where a 32-bit ELF header has its table of sections, how many these are, and which has
// their names.
const (
	offShoff    = 0x20
	offShnum    = 0x30
	offShstrndx = 0x32
	sizeHeader  = 0x34
)

func clearSections(file []byte) {
	if len(file) >= sizeHeader {
		clear(file[offShoff:][:4])
		clear(file[offShnum:][:2])
		clear(file[offShstrndx:][:2])
	}
}
