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
		key, err := os.ReadFile(identityFile(dir, name, "key.der"))
		if err != nil {
			return nil, err
		}
		return &storedIdentity{id, key}, nil
	}
	return nil, fmt.Errorf("%s has no identity %q; it has %q", dir, name, names)
}

type certsExport struct {
	passwords passwords
	format    string
	output    string
	withKey   bool
	force     bool
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
	return cmd
}

func (opt *certsExport) run(cmd *cobra.Command, dir, name string) error {
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
			return errors.New("a PKCS#12 file without a password protects nothing; give one")
		}
		key, err := x509.ParsePKCS8PrivateKey(id.key)
		if err != nil {
			return err
		}
		b, err := pkcs12.Modern.Encode(key, id.Leaf(), id.Chain(), password)
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
	return writeOutput(cmd, opt.output, out.Bytes(), mode, opt.force)
}

// writeOutput writes to a file, which must not be there without force, or to standard
// output.
func writeOutput(cmd *cobra.Command, name string, data []byte, mode fs.FileMode, force bool) error {
	if name == "" {
		_, err := cmd.OutOrStdout().Write(data)
		return err
	}
	if _, err := os.Lstat(name); err == nil && !force {
		return cannotWrite(fmt.Errorf("%s exists; give another name, or --force", name))
	}
	return cannotWrite(storeedit.WriteFile(name, data, mode))
}

func newCertsCSRCommand() *cobra.Command {
	var output string
	var force bool
	cmd := &cobra.Command{
		Use:   "csr DIR IDENTITY",
		Short: "Ask an authority for a certificate: a request for an identity's key",
		Long: `csr writes a certificate signing request (RFC 2986) in PEM for the key and the names
of an identity, to renew its certificate or to have it issued by another authority.
'ingot certs import --force DIR FILE' puts the answer in the place of the old one.`,
		Example: "  ingot certs csr certs/image default -o device.csr",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := readIdentity(args[0], args[1])
			if err != nil {
				return err
			}
			key, err := x509.ParsePKCS8PrivateKey(id.key)
			if err != nil {
				return err
			}
			der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
				Subject:     pkix.Name{CommonName: id.Leaf().Subject.CommonName},
				DNSNames:    id.Leaf().DNSNames,
				IPAddresses: id.Leaf().IPAddresses,
			}, key)
			if err != nil {
				return err
			}
			return writeOutput(cmd, output, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), public, force)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write (default: standard output)")
	cmd.Flags().BoolVar(&force, "force", false, "overwrite the file")
	return cmd
}
