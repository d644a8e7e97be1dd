package cli

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/tools/ingot/internal/storeedit"
)

type certsBundle struct {
	files       certsImport // reads them
	group, name string
	force, json bool
}

// bundleInfo is what 'certs bundle --json' prints.
type bundleInfo struct {
	*storeChange
	Bundle string `json:"bundle"` // path in the store
	Size   int    `json:"size"`
}

func newCertsBundleCommand() *cobra.Command {
	opt := certsBundle{}
	cmd := &cobra.Command{
		Use:   "bundle DIR FILE|FOLDER...",
		Short: "Trust authorities by the hundred, in one file that costs little memory",
		Long: `bundle collects the authorities in files of any kind that 'ingot certs import' reads,
and in folders of them (names in .crt, .cer, .pem and .der), and puts them as one bundle
into the store in DIR. The firmware reads only its index when it starts, and parses a
certificate when a peer's chain needs it.

What is no authority is left out, and said so. An authority that is given twice is taken
once. The result is judged as with 'ingot certs check'; if it isn't sound, nothing is
written.

The program sets Bundles in firmware.Config (or in certs.Options) to certs.Bundles(), and
verifies with tlsio.RootsFor.`,
		Example: `  ingot certs bundle certs/image --group public /usr/share/ca-certificates/mozilla
  ingot certs bundle certs/image --as corporate --force ca-2024.pem ca-2026.pem`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return opt.run(cmd, args[0], args[1:]) },
	}
	opt.files.passwords.register(cmd)
	f := cmd.Flags()
	f.StringVar(&opt.name, "as", "all", "`name` of the bundle's file")
	f.StringVar(&opt.group, "group", "", "`group` of the anchors")
	f.BoolVar(&opt.force, "force", false, "replace a bundle of the same name")
	addJSON(cmd, &opt.json)
	return cmd
}

func (opt *certsBundle) run(cmd *cobra.Command, dir string, sources []string) error {
	_, dir = openStore(dir)
	files, err := certificateFiles(sources)
	if err != nil {
		return err
	}
	var in found
	for _, file := range files {
		store, err := opt.files.read(cmd, file)
		if err != nil {
			return badInput(fmt.Errorf("%s: %w", file, err))
		}
		in.add(file, store)
	}
	change := newStoreChange(dir)
	var authorities []*x509.Certificate
	for _, c := range in.certs {
		if !c.IsCA {
			note := fmt.Sprintf("left out: %s is no authority", c.Subject)
			fmt.Fprintln(cmd.ErrOrStderr(), note)
			change.Notes = append(change.Notes, note)
			continue
		}
		authorities = append(authorities, c)
	}
	if len(authorities) == 0 {
		return badInput(errors.New("the files hold no authority; give those of the authorities' certificates"))
	}
	edit, err := storeedit.Open(dir, opt.force)
	if err != nil {
		return err
	}
	file, size, err := edit.Bundle(opt.group, opt.name, authorities)
	if err != nil {
		return err
	}
	if err := edit.Write(); err != nil {
		return err
	}
	if opt.json {
		for _, c := range authorities {
			change.Anchors = append(change.Anchors, describeCert(anchorName(file), c))
		}
		change.written(edit)
		return answer(cmd, bundleInfo{change, file, size})
	}
	fmt.Fprintf(cmd.OutOrStdout(), "bundle %s: %s, %d bytes\n", file, count(len(authorities), "authority", "authorities"), size)
	return nil
}

// certificateFiles replaces folders by the certificates' files in them. Files that are
// named are taken whatever they are called.
func certificateFiles(sources []string) ([]string, error) {
	var files []string
	for _, source := range sources {
		before := len(files)
		err := filepath.WalkDir(source, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return fmt.Errorf("%s: %w", name, cause(err))
			case d.IsDir():
			case name == source, slices.Contains([]string{".crt", ".cer", ".pem", ".der"}, strings.ToLower(filepath.Ext(name))):
				files = append(files, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s: the folder holds no file whose name ends in .crt, .cer, .pem or .der", source)
		}
	}
	return files, nil
}
