package cli

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/certs"
	"ingot.dev/tools/ingot/internal/storeedit"
)

type certsPin struct {
	files       certsImport // reads them
	server      certsAddCA  // asks them
	name        string
	backup      []string
	force, json bool
	unverified  bool
}

func newCertsPinCommand() *cobra.Command {
	opt := certsPin{}
	cmd := &cobra.Command{
		Use:   "pin [DIR] SOURCE...",
		Short: "Insist on keys: show the pins of a server or a file, or put them into a store",
		Long: `pin computes pins (the SHA-256 of a public key, as in RFC 7469). A SOURCE is

  https://HOST[:PORT]  a server: the key of its own certificate
  FILE                 a certificate, a private or a public key, in any form that
                       'ingot certs import' reads
  sha256/...           a pin

With one SOURCE it shows the pins of all certificates that the server sends, or that are
in the file. With DIR before it, the keys become a set of pins in that store, called as
--as says or after the server. A set needs a backup, a key that is not in use and can
replace one that is lost: --backup is such a SOURCE. The key of the authority, whose pin
is shown, is one for as long as that authority issues the server's certificates.

A server is verified by the authorities that this machine trusts, or by those in the
file of --roots; --yes-unverified pins what can't be.

The program sets Rules in firmware.Config (or in certs.Options) to certs.Rules(), and
judges by tlsio.Pins(store.Pins("NAME")).`,
		Example: `  ingot certs pin https://api.example.com
  ingot certs pin certs/image https://api.example.com --backup spare.key
  ingot certs pin certs/image --as fleet fleet-ca.crt --backup next-fleet-ca.crt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return opt.show(cmd, args[0])
			}
			return opt.add(cmd, args[0], args[1:])
		},
	}
	opt.files.passwords.register(cmd)
	f := cmd.Flags()
	f.StringVar(&opt.name, "as", "", "`name` of the set (default: the server's)")
	f.StringArrayVar(&opt.backup, "backup", nil, "`source` of a key that is not in use yet; may be given more than once")
	f.StringVar(&opt.server.roots, "roots", "", "PEM `file` of authorities to verify servers by, instead of this machine's")
	f.BoolVar(&opt.unverified, "yes-unverified", false, "pin servers that nothing vouches for")
	f.DurationVar(&opt.server.timeout, "timeout", 30*time.Second, "`time` for connecting")
	f.BoolVar(&opt.force, "force", false, "replace a set of the same name")
	cmd.MarkFlagFilename("roots", "pem", "crt")
	addJSON(cmd, &opt.json)
	return cmd
}

// shownPin is what 'certs pin --json' prints of a key.
type shownPin struct {
	Pin string `json:"pin"`
	Of  string `json:"of"` // subject, or what kind of key it is
}

// show prints the pins of a source.
func (opt *certsPin) show(cmd *cobra.Command, source string) error {
	if opt.name != "" || len(opt.backup) > 0 || opt.force {
		return usageError(cmd, errors.New("--as, --backup and --force are for a set in a store; give its DIR before the source"))
	}
	pins, _, err := opt.pins(cmd, source)
	if err != nil {
		return err
	}
	if opt.json {
		list := []shownPin{}
		for _, p := range pins {
			list = append(list, shownPin{p.String(), p.Label})
		}
		return answer(cmd, map[string][]shownPin{"pins": list})
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	for _, p := range pins {
		fmt.Fprintf(table, "%s\t%s\n", p, p.Label)
	}
	return table.Flush()
}

// add puts a set into a store.
func (opt *certsPin) add(cmd *cobra.Command, dir string, sources []string) error {
	if looksLikeSource(dir) {
		return usageError(cmd, fmt.Errorf("%q is no folder of a store; to see the pins of several sources, ask for one after another", dir))
	}
	set := certs.PinSet{Name: strings.ToLower(strings.TrimSuffix(opt.name, "."))}
	var others []certs.Pin // of authorities above those that are pinned
	for _, source := range sources {
		pins, host, err := opt.pins(cmd, source)
		if err != nil {
			return err
		}
		if set.Name == "" {
			set.Name = strings.ToLower(host)
		}
		set.Primary = append(set.Primary, pins[0])
		others = append(others, pins[1:]...)
	}
	if set.Name == "" {
		return usageError(cmd, errors.New("the set has no name; give it one with --as, such as that of the host that it is for"))
	}
	for _, source := range opt.backup {
		pins, _, err := opt.pins(cmd, source)
		if err != nil {
			return err
		}
		set.Backup = append(set.Backup, pins[0])
	}
	if len(set.Backup) == 0 {
		text := "the set has no backup: when the key is lost or replaced, nothing would be accepted any more; give --backup with the file of a key that isn't in use yet"
		for _, p := range others {
			text += fmt.Sprintf(",\nor with %s, which is %s", p, p.Label)
		}
		return usageError(cmd, errors.New(text))
	}
	_, dir = openStore(dir)
	edit, err := storeedit.Open(dir, opt.force)
	if err != nil {
		return err
	}
	file, added, err := edit.Pins(set)
	if err != nil {
		return err
	}
	if err := edit.Write(); err != nil {
		return err
	}
	if opt.json {
		change := newStoreChange(dir)
		change.Pins = append(change.Pins, describePins(edit.Report(), set))
		change.written(edit)
		return answer(cmd, change)
	}
	note := ""
	if !added {
		note = " (was there)"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "pins %s: %d primary, %d backup%s\n", file, len(set.Primary), len(set.Backup), note)
	return nil
}

// looksLikeSource tells a source that isn't a file.
func looksLikeSource(text string) bool {
	return strings.HasPrefix(text, "sha256/") || strings.Contains(text, "://")
}

// pins returns the pins of a source, that of the key itself first, with what they are of;
// and the host, if it is a server.
func (opt *certsPin) pins(cmd *cobra.Command, source string) (pins []certs.Pin, host string, err error) {
	switch {
	case strings.HasPrefix(source, "sha256/"):
		p, ok := certs.ParsePin(source)
		if !ok {
			return nil, "", usageError(cmd, fmt.Errorf("%q is no pin: that is sha256/ and 44 characters of base64", source))
		}
		return []certs.Pin{p}, "", nil
	case strings.Contains(source, "://"):
		return opt.ask(cmd, source)
	}
	contents, err := opt.files.read(cmd, source)
	if err != nil {
		return nil, "", badInput(fmt.Errorf("%s: %w; a server is https://HOST", source, err))
	}
	for _, c := range contents.Certificates {
		pins = append(pins, labelled(c))
	}
	for _, key := range contents.Keys {
		contents.PublicKeys = append(contents.PublicKeys, key.Public())
	}
	taken := map[[sha256.Size]byte]bool{}
	for _, p := range pins {
		taken[p.SHA256] = true
	}
	for _, key := range contents.PublicKeys {
		spki, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return nil, "", badInput(fmt.Errorf("%s: %w", source, err))
		}
		if p := (certs.Pin{SHA256: sha256.Sum256(spki), Label: "key in " + filepath.Base(source)}); !taken[p.SHA256] {
			pins = append(pins, p)
		}
	}
	return pins, "", nil
}

// ask returns the pins of what a server sends, its own first.
func (opt *certsPin) ask(cmd *cobra.Command, target string) ([]certs.Pin, string, error) {
	host, port, err := parseServer(target)
	if err != nil {
		return nil, "", usageError(cmd, err)
	}
	roots, err := rootsOf(opt.server.roots)
	if err != nil {
		return nil, "", err
	}
	server := net.JoinHostPort(host, port)
	var chain []*x509.Certificate
	err = working(cmd, "Connecting to "+server, func() error {
		chain, err = opt.server.fetch(cmd.Context(), host, port)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("%s shows no certificate: %w; is it a TLS server, and can this machine reach it?", server, err)
	}
	anchor, err := findAnchor(chain, host, roots)
	if err != nil {
		if !opt.unverified {
			return nil, "", badInput(fmt.Errorf("%s: %w\nGive its authority with --roots, or --yes-unverified if you know its key from elsewhere", server, certs.Explain(err)))
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Not verified: %v\n", certs.Explain(err))
	} else if !chain[len(chain)-1].Equal(anchor) {
		chain = append(chain, anchor)
	}
	var pins []certs.Pin
	for _, c := range chain {
		pins = append(pins, labelled(c))
	}
	return pins, host, nil
}

func labelled(c *x509.Certificate) certs.Pin {
	p := certs.PinOf(c)
	p.Label = c.Subject.String()
	return p
}
