package cli

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newCertsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Make and check the certificates that are compiled into an image",
		Long: `certs looks after certificate stores: folders with trust anchors, and with identities,
each a certificate with its chain and its private key. A program embeds one. 'ingot
certs init' makes one for development; the other commands bring in what there is, look
at it, judge it, and get it out again. Keys on disk are only their owner's to read, and
passwords are asked for or come from a file, never from an argument.`,
		Args: noCommand,
		RunE: showHelp,
		Example: `  ingot certs init certs
  ingot certs import certs/image server.p12
  ingot certs check certs`,
	}
	cmd.AddCommand(
		newCertsAddCACommand(),
		newCertsBundleCommand(),
		newCertsCheckCommand(),
		newCertsCRLCommand(),
		newCertsCSRCommand(),
		newCertsExportCommand(),
		newCertsImportCommand(),
		newCertsInitCommand(),
		newCertsIssueCommand(),
		newCertsListCommand(),
		newCertsPinCommand(),
	)
	return cmd
}

// openStore opens the certificate store in dir. If dir is what "certs init"
// made, the store is the part of it that goes into the image. The second
// result is the folder that file names in the store are relative to.
func openStore(dir string) (fs.FS, string) {
	if inside := filepath.Join(dir, imageDir); !isStore(dir) && isStore(inside) {
		dir = inside
	}
	return os.DirFS(dir), dir
}

// isStore reports whether a folder has what a certificate store begins with.
func isStore(dir string) bool {
	for _, name := range []string{"anchors", "identities"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			return true
		}
	}
	return false
}
