package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ingot.dev/board/boards"
	"ingot.dev/certs"
	"ingot.dev/tools/image"
	"ingot.dev/tools/ingot/internal/appliance"
	"ingot.dev/tools/ingot/internal/sbom"
	"ingot.dev/tools/ingot/internal/sizes"
)

// buildFlags are the flags of every command that makes an image.
type buildFlags struct {
	board   string
	tags    []string
	goFlags []string
	symbols bool
	stock   bool
	noASM   bool

	config string // of --config, where a command has it
	dir    string // where the program is that was made of it
}

func (f *buildFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.board, "board", boards.Default, "board to build for: "+strings.Join(boards.Names(), ", "))
	flags.StringSliceVar(&f.tags, "tags", nil, "build `tags` in addition to the board's")
	flags.StringArrayVar(&f.goFlags, "go-flag", nil, "a `flag` for go build, such as -gcflags=-N; may be repeated")
	flags.BoolVar(&f.stock, "stock", false, "compile the standard library and modules as they are, without the cuts that make images smaller")
	flags.BoolVar(&f.noASM, "no-arm-asm", false, "compile the standard library's portable cryptography, without assembly for ARM")
	flags.BoolVar(&f.symbols, "symbols", false, "keep the symbol table, and don't check the size")
}

func (f *buildFlags) options(packages []string, output string) image.Options {
	return image.Options{
		Package:  packages,
		Output:   output,
		Board:    f.board,
		Tags:     f.tags,
		Symbols:  f.symbols,
		Stock:    f.stock,
		NoARMAsm: f.noASM,
		Flags:    f.goFlags,
		Dir:      f.dir,
		Go:       os.Getenv("GO"), // as in: make image GO=go1.27.4
	}
}

// registerConfig adds --config to a command that uses program.
func (f *buildFlags) registerConfig(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.config, "config", "", "take the firmware that this configuration `file` describes, as a rule ingot.toml")
	cmd.MarkFlagFilename("config", "toml")
}

// A program is what a command is to build.
type program struct {
	packages  []string
	names     []string             // what it is called: the packages, but for a configuration
	appliance *appliance.Appliance // nil if there is no configuration
	done      func()               // removes what was written for it
}

// program is what args name: a program or, if there are none, what --config describes, or
// else the program in the current folder or the default firmware. Options are right only
// after it.
func (f *buildFlags) program(cmd *cobra.Command, args []string) (*program, error) {
	switch {
	case f.config == "" && len(args) == 0:
		args = []string{ownProgram()}
		fallthrough
	case f.config == "":
		return &program{packages: args, names: args, done: func() {}}, nil
	case len(args) > 0:
		return nil, usageError(cmd, errors.New("give --config or a program, not both"))
	}
	a, err := readConfig(f.config, appliance.Options{})
	if err != nil {
		return nil, err
	}
	p := &program{packages: []string{"."}, names: []string{a.Name}, appliance: a}
	f.dir, p.done, err = fromConfig(cmd, a)
	return p, err
}

// build builds an image, and shows at a terminal that it does.
func (f *buildFlags) build(cmd *cobra.Command, opt image.Options) (im *image.Image, err error) {
	err = working(cmd, "Building "+strings.Join(opt.Package, " "), func() error {
		im, err = image.Build(cmd.Context(), opt)
		return err
	})
	return im, err
}

// imageName is the file name of a program's image: that of its directory or
// first file, or of the current directory for ".".
func imageName(packages []string) (string, error) {
	path := strings.TrimSuffix(packages[0], ".go")
	if base := filepath.Base(path); base == "." || base == ".." {
		var err error
		if path, err = filepath.Abs(path); err != nil {
			return "", err
		}
	}
	return filepath.Base(path) + ".elf", nil
}

func newBuildCommand() *cobra.Command {
	var flags buildFlags
	var output, bill string
	var bySize, noBill, asJSON bool
	cmd := &cobra.Command{
		Use:   "build [PACKAGE|FILE.go...]",
		Short: "Build a Go program into an image",
		Long: `build compiles and links a Go program, with the kernel and the board's code,
into an image that boots on the board, and checks its size against the
board's budget and its RAM. It says what the image is made of by part; 'ingot size' has
more. Any main package will do; it needs no changes. Without an argument it takes the
program in the current folder, or else Ingot's default firmware. If there is a
certificate store in certs/image of the program's folder, which is where 'ingot
certs init' and 'ingot run' keep one, it has to be sound.

Beside the image, as NAME.cdx.json, it writes a bill of materials in CycloneDX's form
(ECMA-424): the modules, the Go release, the flags and the certificates in the image.

The same sources give the same bytes, image and bill, wherever and whenever they are
built. The time that the firmware's clock never goes below is that of the newest
certificate; SOURCE_DATE_EPOCH says another.

Some files of the standard library and of gVisor are changed as the compiler reads them,
so that what a board has no use for can be left out; --json and the bill name these cuts,
tools/image/cuts.go has them, and --stock does without. Ciphers, hashes and the arithmetic
of curves are assembly of Ingot's own for ARM where the Go release is one that it was
checked with; --json and the bill name these packages, docs/ciphers.md has more, and
--no-arm-asm does without.

With --config there is no program: a file says what the firmware is to do, and 'ingot
config reference' what such a file may say.`,
		Example: `  ingot build
  ingot build ./firmware/cmd/ingot-firmware
  ingot build -o sensor.elf --sbom bills/sensor.json ./sensor
  ingot build --config examples/gateway/ingot.toml
  ingot build --tags bench -o bench.elf ./firmware/cmd/ingot-firmware`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return packageArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if noBill && bill != "" {
				return usageError(cmd, errors.New("give --sbom or --no-sbom, not both"))
			}
			p, err := flags.program(cmd, args)
			if err != nil {
				return err
			}
			defer p.done()
			if output == "" {
				if output, err = imageName(p.names); err != nil {
					return err
				}
			}
			opt := flags.options(p.packages, output)
			dir, err := image.MainDir(cmd.Context(), opt)
			if err != nil {
				return err
			}
			if err := checkCerts(dir); err != nil {
				return err
			}
			im, err := flags.build(cmd, opt)
			if errors.Is(err, image.ErrTooLarge) {
				return explainTooLarge(cmd, err, opt, dir, flags.config)
			}
			if err != nil {
				return err
			}
			if bill == "" && !noBill {
				bill = strings.TrimSuffix(output, ".elf") + ".cdx.json"
			}
			if bill != "" {
				if err := writeBill(opt, im, dir, bill); err != nil {
					os.Remove(im.Path) // they belong together
					return err
				}
			}
			var report *sizes.Report
			if bySize {
				if report, err = sizesOf(cmd, opt, im, dir); err != nil {
					return err
				}
			}
			for _, folder := range im.Folders {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: the name of the folder %s, which go.mod puts in a module's place, is in the image; write it relative to go.mod for the same bytes elsewhere\n", folder)
			}
			if asJSON {
				info, err := describeImage(im, report)
				if err != nil {
					return err
				}
				info.Bill = bill
				return answer(cmd, info)
			}
			fmt.Fprintln(cmd.OutOrStdout(), im)
			if ciphers := im.Ciphers(); ciphers != "" {
				fmt.Fprintln(cmd.OutOrStdout(), ciphers)
			}
			if bill != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "bill of materials: %s\n", bill)
			}
			if report != nil {
				return printParts(cmd.OutOrStdout(), report)
			}
			return nil
		},
	}
	flags.register(cmd.Flags())
	flags.registerConfig(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write (default: the program's name with .elf)")
	cmd.Flags().BoolVar(&bySize, "sizes", true, "say what the image is made of, for which it is linked once more")
	cmd.Flags().StringVar(&bill, "sbom", "", "`file` for the bill of materials (default: that of the image with .cdx.json)")
	cmd.Flags().BoolVar(&noBill, "no-sbom", false, "don't write one")
	cmd.MarkFlagFilename("output", "elf")
	cmd.MarkFlagFilename("sbom", "json")
	addJSON(cmd, &asJSON)
	return cmd
}

// explainTooLarge adds to the error of an image that is too large what takes the room,
// and what to do.
func explainTooLarge(cmd *cobra.Command, tooLarge error, opt image.Options, dir, config string) error {
	var r *sizes.Report
	var variables []sizes.Variable
	err := working(cmd, "Looking for what is large", func() error {
		return withSymbols(cmd.Context(), opt, func(file string) (err error) {
			if variables, err = sizes.Variables(file); err == nil {
				r, err = readSizes(file, dir)
			}
			return err
		})
	})
	if err != nil {
		return tooLarge // which is worth more than why this could not be found out
	}
	const most = 3
	var list []string
	for _, v := range variables[:min(most, len(variables))] {
		if v.Size >= 1e6 {
			list = append(list, fmt.Sprintf("variable %s %.2f MB", v.Name, float64(v.Size)/1e6))
		}
	}
	for _, p := range r.Parts[:min(most, len(r.Parts))] {
		list = append(list, fmt.Sprintf("%s %.2f MB", p.Name, float64(p.Total())/1e6))
	}
	what := strings.Join(opt.Package, " ")
	if config != "" {
		what = "--config " + config
	}
	return fmt.Errorf("%w\nLargest: %s.\nLeave out or make smaller what isn't needed ('ingot size %s' has more), or take a board with more room ('ingot boards').",
		tooLarge, strings.Join(list, ", "), what)
}

// sizesOf takes an image apart. A flashed image has no symbols, so it takes another
// with the same contents that has them; nothing but linking is done twice.
func sizesOf(cmd *cobra.Command, opt image.Options, im *image.Image, dir string) (r *sizes.Report, err error) {
	if opt.Symbols {
		return readSizes(im.Path, dir)
	}
	err = working(cmd, "Measuring "+im.Path, func() error {
		r, err = measureProgram(cmd.Context(), opt, dir)
		return err
	})
	return r, err
}

// printParts lists an image's parts, largest first.
func printParts(out io.Writer, r *sizes.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, p := range r.Parts {
		fmt.Fprintf(w, "%d\t%.1f %%\t  %s\n", p.Total(), 100*float64(p.Total())/float64(r.Total.Total()), p.Name)
	}
	return w.Flush()
}

// imageInfo is what 'build --json' prints. Sizes are in bytes.
type imageInfo struct {
	Path   string       `json:"path"`
	Bill   string       `json:"sbom,omitempty"` // file of the bill of materials
	SHA256 string       `json:"sha256"`
	Board  string       `json:"board"`
	Size   int64        `json:"size"`             // of the file
	Budget int64        `json:"budget,omitempty"` // the board's limit for it; absent if it is exempt
	Code   int64        `json:"code"`
	Const  int64        `json:"constants"`
	Data   int64        `json:"data"`
	Zero   int64        `json:"zeroed"`   // not in the file
	RAM    int64        `json:"ram"`      // taken before the program allocates anything
	HasRAM int64        `json:"boardRAM"` // that the board has
	Parts  []sizes.Part `json:"parts,omitempty"`
	// What was left out of the standard library and modules.
	Cuts []image.Cut `json:"cuts,omitempty"`
	// Packages of the standard library with assembly of ours, and why others have none.
	Assembly []string `json:"assembly,omitempty"`
	Portable string   `json:"portable,omitempty"`
	// Those of this machine whose names are in the image.
	Folders []string `json:"folders,omitempty"`
}

func describeImage(im *image.Image, r *sizes.Report) (imageInfo, error) {
	info := imageInfo{Path: im.Path, Board: im.Board.Name, Size: im.Size, Budget: im.Budget,
		Code: im.Code, Const: im.Const, Data: im.Data, Zero: im.Zero, RAM: im.RAM(), HasRAM: im.Board.RAM, Cuts: im.Cuts,
		Assembly: im.Assembly, Portable: im.Portable, Folders: im.Folders}
	if r != nil {
		info.Parts = r.Parts
	}
	f, err := os.Open(im.Path)
	if err != nil {
		return info, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return info, err
	}
	info.SHA256 = hex.EncodeToString(h.Sum(nil))
	return info, nil
}

// writeBill writes the bill of materials of an image.
func writeBill(opt image.Options, im *image.Image, dir, file string) error {
	o := sbom.Options{Image: im.Path, Board: im.Board.Name, Cuts: im.Cuts, Assembly: im.Assembly, Portable: im.Portable}
	store := filepath.Join(dir, "certs", "image")
	if _, err := os.Stat(store); err == nil {
		o.Certs = os.DirFS(store)
	}
	bom, err := sbom.Describe(o)
	if err != nil {
		return err
	}
	return writeFile(file, func(w io.Writer) error { return sbom.Write(w, bom) })
}

// checkCerts judges the certificate store in the program's folder dir, if there is
// one, as the firmware will when it starts.
func checkCerts(dir string) error {
	store := filepath.Join(dir, "certs", "image")
	if _, err := os.Stat(store); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := certs.Inspect(os.DirFS(store), certs.Options{}).Err(); err != nil {
		return fmt.Errorf("the firmware would not start with the certificates in %s: %w", store, err)
	}
	return nil
}

// packageArgs accepts one package, or any number of Go files.
func packageArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("which program? Name a package or Go files")
	}
	if len(args) > 1 {
		for _, a := range args {
			if !strings.HasSuffix(a, ".go") {
				return fmt.Errorf("%s: an image is made from one package or from Go files; arguments for the program go behind --", a)
			}
		}
	}
	return nil
}
