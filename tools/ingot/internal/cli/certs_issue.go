package cli

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/certs"
	"ingot.dev/internal/pki"
	"ingot.dev/tools/ingot/internal/storeedit"
)

type certsIssue struct {
	names, ips []string
	client     bool
	host       bool
	days       int
	algorithm  string
	force      bool
	json       bool
}

func newCertsIssueCommand() *cobra.Command {
	opt := certsIssue{}
	cmd := &cobra.Command{
		Use:   "issue DIR IDENTITY",
		Short: "Issue one more certificate from the development authority",
		Long: `issue makes a key and a certificate with the authority that 'ingot certs init' left in
DIR/ca, as the identity IDENTITY of the store in DIR/image or, with --host, as PEM and
DER files in DIR/host for programs on this machine.`,
		Example: `  ingot certs issue certs www --name www.example.test
  ingot certs issue certs operator --client --host`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return opt.run(cmd, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&opt.names, "name", nil, "DNS name; give it again for more")
	f.StringSliceVar(&opt.ips, "ip", nil, "IP address; give it again for more")
	f.BoolVar(&opt.client, "client", false, "for a TLS client instead of a server")
	f.BoolVar(&opt.host, "host", false, "write files for this machine instead of the image")
	f.IntVar(&opt.days, "days", int(pki.DefaultValidity/(24*time.Hour)), "days until it expires")
	f.StringVar(&opt.algorithm, "algorithm", string(pki.ECDSAP256), "kind of key: "+strings.Join(algorithms(), ", "))
	f.BoolVar(&opt.force, "force", false, "replace what has the same name")
	addJSON(cmd, &opt.json)
	return cmd
}

func (opt *certsIssue) run(cmd *cobra.Command, dir, name string) error {
	template, err := opt.template(name)
	if err != nil {
		return err
	}
	ca, err := readAuthority(dir)
	if err != nil {
		return badInput(err)
	}
	made := &certsMade{Dir: dir}
	where := filepath.Join(dir, imageDir, "identities", name)
	if opt.host {
		where = filepath.Join(dir, hostDir, name)
	}
	var cred *pki.Credential
	err = working(cmd, "Making a key", func() error {
		cred, err = ca.Issue(template)
		return err
	})
	if err != nil {
		return err
	}
	if opt.host {
		made.Files, err = opt.forHost(dir, name, cred)
	} else {
		made.Files, err = opt.forImage(dir, name, cred)
	}
	if err != nil {
		return err
	}
	if opt.json {
		made.Certificates = []certInfo{describeCert(name, cred.Cert)}
		return answer(cmd, made)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, valid until %s\n", where, cred.Cert.Subject, cred.Cert.NotAfter.UTC().Format(time.DateOnly))
	return nil
}

// forHost writes the certificate for programs on this machine.
func (opt *certsIssue) forHost(dir, name string, cred *pki.Credential) ([]fileInfo, error) {
	if err := storeedit.CheckName(name); err != nil {
		return nil, err
	}
	key, err := cred.KeyDER()
	if err != nil {
		return nil, err
	}
	keyPEM, err := cred.KeyPEM()
	if err != nil {
		return nil, err
	}
	return writeNew(dir, []file{
		{hostDir + "/" + name + ".pem", cred.PEM(), public}, {hostDir + "/" + name + "-key.pem", keyPEM, private},
		{hostDir + "/" + name + ".der", cred.DER(), public}, {hostDir + "/" + name + "-key.der", key, private},
	}, opt.force)
}

// forImage puts the certificate into the store.
func (opt *certsIssue) forImage(dir, name string, cred *pki.Credential) ([]fileInfo, error) {
	key, err := cred.KeyDER()
	if err != nil {
		return nil, err
	}
	change := newStoreChange(filepath.Join(dir, imageDir))
	edit, err := storeedit.Open(change.Store, opt.force)
	if err == nil {
		err = edit.Identity(name, append([]*x509.Certificate{cred.Cert}, cred.Chain...), key)
	}
	if err == nil {
		err = edit.Write()
	}
	if err != nil {
		return nil, err
	}
	change.written(edit)
	return change.Files, nil
}

func (opt *certsIssue) template(name string) (t pki.Template, err error) {
	if t.Algorithm, err = pki.ParseAlgorithm(opt.algorithm); err != nil {
		return t, badFlag(fmt.Errorf("--algorithm: %w", err))
	}
	if opt.days < 1 || opt.days > maxDays {
		return t, badFlag(fmt.Errorf("--days %d: give a number from 1 to %d", opt.days, maxDays))
	}
	if t.IPs, err = pki.ParseIPs(opt.ips); err != nil {
		return t, badFlag(fmt.Errorf("--ip: %w", err))
	}
	for _, n := range opt.names {
		if why := certs.CheckDNSName(n); why != nil {
			return t, badFlag(fmt.Errorf("--name %q: %w", n, why))
		}
	}
	t.DNSNames, t.CommonName = opt.names, name
	t.NotAfter = time.Now().AddDate(0, 0, opt.days)
	t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if opt.client {
		t.Usages[0] = x509.ExtKeyUsageClientAuth
	} else if len(opt.names)+len(opt.ips) == 0 {
		return t, badFlag(errors.New("a server needs a name: give --name or --ip, or --client"))
	}
	return t, nil
}

// readAuthority reads the authority that "certs init" made.
func readAuthority(dir string) (*pki.Credential, error) {
	read := func(name string) ([]byte, error) {
		b, err := os.ReadFile(filepath.Join(dir, caDir, name))
		if err != nil {
			return nil, fmt.Errorf("there is no development authority: %w; 'ingot certs init %s' makes one", err, dir)
		}
		return b, nil
	}
	certDER, err := read("ca.der")
	if err != nil {
		return nil, err
	}
	keyDER, err := read("ca-key.der")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, caDir, "ca.der"), err)
	}
	key, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, caDir, "ca-key.der"), err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok || !equalKeys(signer.Public(), cert.PublicKey) {
		return nil, fmt.Errorf("%s: the key does not belong to ca.der", filepath.Join(dir, caDir, "ca-key.der"))
	}
	return &pki.Credential{Cert: cert, Key: signer, Root: cert}, nil
}
