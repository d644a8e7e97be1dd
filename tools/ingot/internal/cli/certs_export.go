package cli

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"software.sslmate.com/src/go-pkcs12"

	"ingot.dev/certs"
	"ingot.dev/internal/atomicfile"
	"ingot.dev/tools/ingot/internal/storeedit"
)

// identityFile is a file of an identity in a store on disk.
func identityFile(dir, name, file string) string {
	return filepath.Join(dir, "identities", name, file)
}

// cause strips the path from an error of package os: messages have it.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// storedIdentity is an identity with its private key in PKCS#8.
type storedIdentity struct {
	*certs.Identity
	key []byte
}

// readIdentity finds an identity in the store in dir.
func readIdentity(dir, name string) (*storedIdentity, error) {
	fsys, dir := openStore(dir)
	var names []string
	for _, id := range certs.Inspect(fsys, certs.Options{}).Identities {
		if id.Name() != name {
			names = append(names, id.Name())
			continue
		}
		if id.Kept() {
			return nil, badInput(fmt.Errorf("the key of identity %q is not in the store: its keeper has it, and can sign requests", name))
		}
		key, err := os.ReadFile(identityFile(dir, name, "key.der"))
		if err != nil {
			return nil, badInput(fmt.Errorf("the key of identity %q: %w; 'ingot certs check %s' says more", name, err, dir))
		}
		return &storedIdentity{id, key}, nil
	}
	return nil, badInput(fmt.Errorf("%s has no identity %q; it has %q", dir, name, names))
}

type certsExport struct {
	passwords passwords
	format    string
	output    string
	withKey   bool
	force     bool
	json      bool
}

// formats are the values of --format.
var formats = []string{"pem", "der", "p12"}

// exported is what 'certs export --json' and 'certs csr --json' print.
type exported struct {
	Identity certInfo   `json:"identity"`
	Format   string     `json:"format"`
	Files    []fileInfo `json:"files"`
}

// needsOutput refuses --json where the result itself would go to standard output.
func needsOutput(cmd *cobra.Command, asJSON bool, output string) error {
	if asJSON && output == "" {
		return usageError(cmd, errors.New("--json and the certificate can't both go to standard output; name a file with -o"))
	}
	return nil
}

func newCertsExportCommand() *cobra.Command {
	opt := certsExport{}
	cmd := &cobra.Command{
		Use:   "export DIR IDENTITY",
		Short: "Write an identity of a store for other programs",
		Long: `export writes the certificate of an identity with its intermediates as PEM, DER (the
certificate alone) or PKCS#12. The private key goes with it only if --with-key asks
for that; PKCS#12 is for certificates with their keys, under a password.`,
		Example: `  ingot certs export certs/image default
  ingot certs export certs/image default --format p12 --with-key -o device.p12`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return opt.run(cmd, args[0], args[1]) },
	}
	opt.passwords.register(cmd)
	f := cmd.Flags()
	f.StringVar(&opt.format, "format", "pem", "pem, der or p12")
	f.StringVarP(&opt.output, "output", "o", "", "`file` to write (default: standard output)")
	f.BoolVar(&opt.withKey, "with-key", false, "write the private key too")
	f.BoolVar(&opt.force, "force", false, "overwrite the file")
	addJSON(cmd, &opt.json)
	return cmd
}

func (opt *certsExport) run(cmd *cobra.Command, dir, name string) error {
	if err := needsOutput(cmd, opt.json, opt.output); err != nil {
		return err
	}
	id, err := readIdentity(dir, name)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	switch {
	case opt.format == "pem":
		for _, c := range append([]*x509.Certificate{id.Leaf()}, id.Chain()...) {
			pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
		}
		if opt.withKey {
			pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: id.key})
		}
	case opt.format == "der" && opt.withKey:
		return usageError(cmd, errors.New("--format der holds one certificate; the key in DER is the file key.der of the store"))
	case opt.format == "der":
		out.Write(id.Leaf().Raw)
	case opt.format == "p12" && !opt.withKey:
		return usageError(cmd, errors.New("--format p12 is for a certificate with its key; add --with-key"))
	case opt.format == "p12":
		password, given, err := opt.passwords.given(cmd)
		if err == nil && !given {
			password, err = opt.passwords.ask(cmd, "the PKCS#12 file")
		}
		if err != nil {
			return err
		}
		if password == "" {
			return badInput(errors.New("a PKCS#12 file without a password protects nothing; give one"))
		}
		key, err := x509.ParsePKCS8PrivateKey(id.key)
		if err != nil {
			return id.badKey(err)
		}
		var b []byte
		err = working(cmd, "Encrypting", func() error {
			b, err = pkcs12.Modern.Encode(key, id.Leaf(), id.Chain(), password)
			return err
		})
		if err != nil {
			return err
		}
		out.Write(b)
	default:
		return usageError(cmd, fmt.Errorf("--format %q: use pem, der or p12", opt.format))
	}
	mode := public
	if opt.withKey {
		mode = private
	}
	file, err := writeOutput(cmd, opt.output, out.Bytes(), mode, opt.force)
	if err != nil || !opt.json {
		return err
	}
	return answer(cmd, exported{describeCert(name, id.Leaf()), opt.format, []fileInfo{file}})
}

// badKey is the error of a stored key that can't be used.
func (id *storedIdentity) badKey(err error) error {
	return badInput(fmt.Errorf("the key of identity %q: %w; import it again with --force", id.Name(), err))
}

// writeOutput writes to a file, which must not be there without force, or to standard
// output.
func writeOutput(cmd *cobra.Command, name string, data []byte, mode fs.FileMode, force bool) (fileInfo, error) {
	if name == "" {
		_, err := cmd.OutOrStdout().Write(data)
		return fileInfo{}, cannotWrite(err)
	}
	state := storeedit.Created
	if _, err := os.Lstat(name); err == nil {
		if !force {
			return fileInfo{}, cannotWrite(fmt.Errorf("%s exists; give another name, or --force", name))
		}
		state = storeedit.Replaced
	}
	return fileInfo{name, state, mode == private}, cannotWrite(atomicfile.WriteBytes(name, data, mode))
}

func newCertsCSRCommand() *cobra.Command {
	var output string
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "csr DIR IDENTITY",
		Short: "Ask an authority for a certificate: a request for an identity's key",
		Long: `csr writes a certificate signing request (RFC 2986) in PEM for the key and the names
of an identity, to renew its certificate or to have it issued by another authority.
'ingot certs import --force DIR FILE' puts the answer in the place of the old one.`,
		Example: "  ingot certs csr certs/image default -o device.csr",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := needsOutput(cmd, asJSON, output); err != nil {
				return err
			}
			id, err := readIdentity(args[0], args[1])
			if err != nil {
				return err
			}
			key, err := x509.ParsePKCS8PrivateKey(id.key)
			if err != nil {
				return id.badKey(err)
			}
			der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
				Subject:     pkix.Name{CommonName: id.Leaf().Subject.CommonName},
				DNSNames:    id.Leaf().DNSNames,
				IPAddresses: id.Leaf().IPAddresses,
			}, key)
			if err != nil {
				return err
			}
			file, err := writeOutput(cmd, output, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), public, force)
			if err != nil || !asJSON {
				return err
			}
			return answer(cmd, exported{describeCert(args[1], id.Leaf()), "csr", []fileInfo{file}})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write (default: standard output)")
	cmd.Flags().BoolVar(&force, "force", false, "overwrite the file")
	addJSON(cmd, &asJSON)
	return cmd
}
