package cli

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/certs"
	"ingot.dev/certs/container"
	"ingot.dev/tools/ingot/internal/storeedit"
)

type certsImport struct {
	passwords passwords
	name      string
	anchor    bool
	between   bool
	kept      bool
	reference string
	group     string
	force     bool
	json      bool
}

func newCertsImportCommand() *cobra.Command {
	opt := certsImport{}
	cmd := &cobra.Command{
		Use:   "import DIR FILE...",
		Short: "Bring certificates and keys that you have into a store",
		Long: `import reads certificates and private keys from files of any kind that it can tell
from their content: PEM, DER, PKCS#12 (.p12, .pfx), PKCS#7 (.p7b), JKS, JWK, private
keys of OpenSSH and PuTTY (.ppk), RSAKeyValue in XML, also with Base64 or a password
around them. Certificates and keys may come in different files.

A certificate with its key becomes an identity of the store in DIR, called as --as
says, or "default" if it is the store's first, or after its first name. Intermediates
go with it. A new certificate for a key that is in the store renews that identity
(with --force). With --anchor, authorities become trust anchors, with --intermediate
they complete the chains of all identities.

A certificate whose key is not in a file, but in a secure element or wherever else the
firmware's keeper of keys (certs.KeptBy) finds it, is imported with --kept and what that
keeper wants to be told.

The result is judged as the firmware will; if it isn't sound, nothing is written.
Keys are stored as plain PKCS#8 that only you can read.`,
		Example: `  ingot certs import certs/image server.p12
  ingot certs import certs/image --as www www.crt chain.pem www.key
  ingot certs import certs/image --anchor --group clients corporate-ca.crt
  ingot certs import certs/image --intermediate issuing-ca.crt
  ingot certs import certs/image --kept "slot 3" device.crt`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return opt.run(cmd, args[0], args[1:]) },
	}
	opt.passwords.register(cmd)
	f := cmd.Flags()
	f.StringVar(&opt.name, "as", "", "`name` of the identity, or of the anchor's file")
	f.BoolVar(&opt.anchor, "anchor", false, "trust the authorities in the files")
	f.StringVar(&opt.group, "group", "", "`group` of the anchors")
	f.BoolVar(&opt.between, "intermediate", false, "complete chains with the authorities in the files")
	f.StringVar(&opt.reference, "kept", "", "the key is kept elsewhere; `reference` tells its keeper which it is")
	f.BoolVar(&opt.force, "force", false, "replace what has the same name")
	addJSON(cmd, &opt.json)
	return cmd
}

// found is what the files hold.
type found struct {
	certs []*x509.Certificate
	keys  []privateKey
	pairs []pair
}

// privateKey is a key whose certificate isn't in its file.
type privateKey struct {
	file string
	key  crypto.Signer
}

// pair is a certificate with its key, in PKCS#8.
type pair struct {
	leaf *x509.Certificate
	key  []byte
	name string // of the identity that it renews; empty for a new one
	kept bool   // key is what its keeper is told
}

func (opt *certsImport) run(cmd *cobra.Command, dir string, files []string) error {
	_, dir = openStore(dir)
	if opt.group != "" && !opt.anchor {
		return usageError(cmd, errors.New("--group is for --anchor"))
	}
	if opt.anchor && opt.between {
		return usageError(cmd, errors.New("--anchor and --intermediate: an authority is one of them; a root is an anchor"))
	}
	opt.kept = cmd.Flags().Changed("kept")
	var in found
	for _, file := range files {
		contents, err := opt.read(cmd, file)
		if err != nil {
			return badInput(fmt.Errorf("%s: %w", file, err))
		}
		if err := in.add(file, contents); err != nil {
			return err
		}
	}
	edit, err := storeedit.Open(dir, opt.force)
	if err != nil {
		return err
	}
	existing := certs.Inspect(os.DirFS(dir), certs.Options{}).Identities
	if err := in.match(dir, existing); err != nil {
		return badInput(err)
	}
	if opt.kept {
		if err := in.keep([]byte(opt.reference)); err != nil {
			return badInput(err)
		}
	}
	change := newStoreChange(dir)
	var done []string
	used := map[string]bool{} // certificates that have found their place, by their bytes
	if opt.name != "" && len(in.pairs) > 1 {
		return usageError(cmd, fmt.Errorf("--as names one identity, and the files hold %d", len(in.pairs)))
	}
	for _, p := range in.pairs {
		chain := chainOf(p.leaf, in.certs)
		for _, c := range chain {
			used[string(c.Raw)] = true
		}
		name := opt.nameFor(p, len(existing) == 0 && len(in.pairs) == 1)
		put := edit.Identity
		if p.kept {
			put = edit.KeptIdentity
		}
		if err := put(name, chain, p.key); err != nil {
			return err
		}
		change.Identities = append(change.Identities, describeCert(name, p.leaf))
		done = append(done, fmt.Sprintf("identity %s: %s, %s", name, p.leaf.Subject, count(len(chain)-1, "intermediate", "intermediates")))
	}
	for _, c := range in.certs {
		switch {
		case used[string(c.Raw)]:
		case opt.anchor && c.IsCA:
			used[string(c.Raw)] = true
			name := opt.name
			if name == "" || len(in.pairs) > 0 {
				name = storeedit.Slug(subjectName(c))
			}
			file, added, err := edit.Anchor(opt.group, name, c)
			if err != nil {
				return err
			}
			change.Anchors = append(change.Anchors, describeCert(anchorName(file), c))
			if added {
				done = append(done, fmt.Sprintf("anchor %s: %s", file, c.Subject))
			} else {
				done = append(done, fmt.Sprintf("anchor %s was there: %s", file, c.Subject))
			}
		case opt.between && c.IsCA:
			used[string(c.Raw)] = true
			name := opt.name
			if name == "" || len(in.pairs) > 0 {
				name = storeedit.Slug(subjectName(c))
			}
			file, added, err := edit.Intermediate(name, c)
			if err != nil {
				return err
			}
			change.Intermediates = append(change.Intermediates, describeCert(baseName(file), c))
			line := fmt.Sprintf("intermediate %s: %s", file, c.Subject)
			if !added {
				line = fmt.Sprintf("intermediate %s was there: %s", file, c.Subject)
			}
			done = append(done, line)
		case c.IsCA:
			change.Notes = append(change.Notes, fmt.Sprintf("not imported: authority %s (to trust it, use --anchor)", c.Subject))
		default:
			return badInput(fmt.Errorf("there is no private key for %s; give the file that holds it too, or --kept if it is not in a file", c.Subject))
		}
	}
	if len(done) == 0 {
		return badInput(errors.New("the files hold nothing for a store; give certificates with their keys, or authorities with --anchor"))
	}
	if err := edit.Write(); err != nil {
		return err
	}
	for _, note := range change.Notes {
		fmt.Fprintln(cmd.ErrOrStderr(), note)
	}
	if opt.json {
		change.written(edit)
		return answer(cmd, change)
	}
	for _, line := range done {
		fmt.Fprintln(cmd.OutOrStdout(), line)
	}
	return nil
}

// read opens a file, with a password if it needs one.
func (opt *certsImport) read(cmd *cobra.Command, file string) (*container.Contents, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, container.MaxSize+1))
	if err != nil {
		return nil, cause(err)
	}
	password, given, err := opt.passwords.given(cmd)
	if err != nil {
		return nil, err
	}
	open := func(password string) (contents *container.Contents, err error) {
		// Formats that make guessing passwords slow make this slow, too.
		err = working(cmd, "Opening "+file, func() error {
			contents, err = container.Read(data, container.Options{Password: password})
			return err
		})
		return contents, err
	}
	contents, err := open(password)
	if errors.Is(err, container.ErrPassword) && !given {
		if password, err = opt.passwords.ask(cmd, file); err != nil {
			return nil, err
		}
		contents, err = open(password)
	}
	if e, ok := errors.AsType[*container.Error](err); ok && e.Kind == container.ErrPassword {
		return nil, fmt.Errorf("%s: the password doesn't open it; give the right one with --password-file", e.Format)
	}
	if e, ok := errors.AsType[*container.Error](err); ok && e.Kind == container.ErrSyntax && e.Format == container.Auto {
		return nil, fmt.Errorf("%w; 'ingot certs import --help' lists what can be read", err)
	}
	return contents, err
}

// add takes over what a file holds.
func (in *found) add(file string, contents *container.Contents) error {
	for _, c := range contents.Certificates {
		if !slices.ContainsFunc(in.certs, c.Equal) {
			in.certs = append(in.certs, c)
		}
		if key := contents.Key(c); key != nil {
			if err := in.pair(file, c, key); err != nil {
				return err
			}
		}
	}
	for _, key := range contents.Keys {
		if !slices.ContainsFunc(contents.Certificates, func(c *x509.Certificate) bool { return equalKeys(c.PublicKey, key.Public()) }) {
			in.keys = append(in.keys, privateKey{file, key})
		}
	}
	return nil
}

// pair adds a certificate with its key.
func (in *found) pair(file string, leaf *x509.Certificate, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	in.pairs = append(in.pairs, pair{leaf: leaf, key: der})
	return nil
}

// match finds the certificates of keys that came without, and the keys of
// certificates for identities that the store has.
func (in *found) match(dir string, existing []*certs.Identity) error {
	for _, k := range in.keys {
		i := slices.IndexFunc(in.certs, func(c *x509.Certificate) bool { return equalKeys(c.PublicKey, k.key.Public()) })
		if i < 0 {
			return fmt.Errorf("%s: there is no certificate for this private key; give the file that holds it too", k.file)
		}
		if err := in.pair(k.file, in.certs[i], k.key); err != nil {
			return err
		}
	}
	for _, c := range in.certs {
		if c.IsCA || slices.ContainsFunc(in.pairs, func(p pair) bool { return p.leaf.Equal(c) }) {
			continue
		}
		for _, id := range existing {
			if equalKeys(c.PublicKey, id.Leaf().PublicKey) {
				file := "key.der"
				if id.Kept() {
					file = "key.kept"
				}
				key, err := os.ReadFile(identityFile(dir, id.Name(), file))
				if err != nil {
					return err
				}
				in.pairs = append(in.pairs, pair{c, key, id.Name(), id.Kept()})
				break
			}
		}
	}
	return nil
}

// keep gives the one certificate without a key the reference to its key.
func (in *found) keep(reference []byte) error {
	without := slices.DeleteFunc(slices.Clone(in.certs), func(c *x509.Certificate) bool {
		return c.IsCA || slices.ContainsFunc(in.pairs, func(p pair) bool { return p.name == "" && p.leaf.Equal(c) })
	})
	if len(without) != 1 {
		return fmt.Errorf("--kept is for one certificate whose key isn't in the files, and there are %d", len(without))
	}
	in.pairs = slices.DeleteFunc(in.pairs, func(p pair) bool { return p.leaf.Equal(without[0]) })
	in.pairs = append(in.pairs, pair{leaf: without[0], key: reference, kept: true})
	return nil
}

func equalKeys(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// chainOf orders the intermediates above leaf that are among the candidates. A
// self-signed authority is not sent to peers.
func chainOf(leaf *x509.Certificate, candidates []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for len(chain) <= certs.MaxChain {
		last := chain[len(chain)-1]
		i := slices.IndexFunc(candidates, func(c *x509.Certificate) bool {
			return c.IsCA && !selfSigned(c) && !slices.ContainsFunc(chain, c.Equal) && last.CheckSignatureFrom(c) == nil
		})
		if i < 0 {
			break
		}
		chain = append(chain, candidates[i])
	}
	return chain
}

func selfSigned(c *x509.Certificate) bool {
	return string(c.RawSubject) == string(c.RawIssuer) && c.CheckSignatureFrom(c) == nil
}

func (opt *certsImport) nameFor(p pair, first bool) string {
	switch {
	case opt.name != "":
		return opt.name
	case p.name != "":
		return p.name
	case first:
		return certs.DefaultIdentity
	}
	return storeedit.Slug(subjectName(p.leaf))
}

// subjectName is the shortest text that tells a certificate's owner.
func subjectName(c *x509.Certificate) string {
	switch {
	case !c.IsCA && len(c.DNSNames) > 0:
		return strings.ReplaceAll(c.DNSNames[0], "*", "any")
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(c.Subject.OrganizationalUnit) > 0:
		return c.Subject.OrganizationalUnit[0]
	case len(c.Subject.Organization) > 0:
		return c.Subject.Organization[0]
	}
	return fmt.Sprintf("serial-%x", c.SerialNumber)
}
