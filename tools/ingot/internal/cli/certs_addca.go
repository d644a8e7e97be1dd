package cli

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ingot.dev/certs"
	"ingot.dev/tools/ingot/internal/storeedit"
)

type certsAddCA struct {
	group, name string
	yes, json   bool
	roots       string
	timeout     time.Duration
}

func newCertsAddCACommand() *cobra.Command {
	opt := certsAddCA{}
	cmd := &cobra.Command{
		Use:   "add-ca DIR https://HOST[:PORT]",
		Short: "Trust the authority of a server: find it, show it, add it",
		Long: `add-ca connects to a server, shows the chain of certificates that it sends, finds the
authority at its end, and adds that to the trust anchors of the store in DIR.

The authority is looked for among those that this machine trusts (or those in the file
of --roots): then the chain is verified, as by a browser. If it isn't there, the
authority that the server itself sends can be added, but then nothing proves that this
is the right server: compare the fingerprint with one that you have from elsewhere.
Either way you are asked, unless --yes says so before; --yes doesn't cover authorities
that this machine doesn't know, for which --yes-unverified is needed.`,
		Example: `  ingot certs add-ca certs/image https://api.example.com
  ingot certs add-ca certs/image --group cloud https://iot.example.com:8883`,
		Args: cobra.ExactArgs(2),
	}
	var yesUnverified bool
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return opt.run(cmd, args[0], args[1], yesUnverified)
	}
	f := cmd.Flags()
	f.StringVar(&opt.group, "group", "", "`group` of the anchor")
	f.StringVar(&opt.name, "as", "", "`name` of the anchor's file (default: after its subject)")
	f.StringVar(&opt.roots, "roots", "", "PEM `file` of authorities to look in, instead of this machine's")
	f.BoolVar(&opt.yes, "yes", false, "add a verified authority without asking")
	f.BoolVar(&yesUnverified, "yes-unverified", false, "add an authority that nothing vouches for without asking")
	cmd.MarkFlagFilename("roots", "pem", "crt")
	addJSON(cmd, &opt.json)
	f.DurationVar(&opt.timeout, "timeout", 30*time.Second, "`time` for connecting")
	return cmd
}

func (opt *certsAddCA) run(cmd *cobra.Command, dir, target string, yesUnverified bool) error {
	host, port, err := parseServer(target)
	if err != nil {
		return usageError(cmd, err)
	}
	roots, err := rootsOf(opt.roots)
	if err == nil && roots == nil {
		roots, err = x509.SystemCertPool()
	}
	if err != nil {
		return err
	}
	server := net.JoinHostPort(host, port)
	var chain []*x509.Certificate
	err = working(cmd, "Connecting to "+server, func() error {
		chain, err = opt.fetch(cmd.Context(), host, port)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s shows no certificate: %w; is it a TLS server, and can this machine reach it?", server, err)
	}
	// For people who are asked, everything comes in order; for programs, at the end.
	out := cmd.OutOrStdout()
	if opt.json {
		out = cmd.ErrOrStderr()
	}
	fmt.Fprintf(out, "%s sends:\n", server)
	printChain(out, chain)

	anchor, verifyErr := findAnchor(chain, host, roots)
	verified := verifyErr == nil
	if !verified {
		if anchor = lastAuthority(chain); anchor == nil {
			return badInput(fmt.Errorf("the authority is not known here and the server does not send it: %w\nGet its certificate from whoever runs the server, and: ingot certs import %s --anchor FILE", certs.Explain(verifyErr), dir))
		}
		fmt.Fprintf(out, "Not verified: %v\n", certs.Explain(verifyErr))
	}
	fmt.Fprintf(out, "Authority: %s\n  valid until %s\n  SHA-256 %s\n", anchor.Subject, anchor.NotAfter.UTC().Format(time.DateOnly), fingerprint(anchor))
	if verified && !opt.yes || !verified && !yesUnverified {
		ok, err := confirm(cmd, "Trust this authority?")
		if err != nil {
			flag := "--yes"
			if !verified {
				flag = "--yes-unverified"
			}
			return fmt.Errorf("%w; give %s if it is the right one", err, flag)
		}
		if !ok {
			return errors.New("nothing was added")
		}
	}
	_, dir = openStore(dir)
	edit, err := storeedit.Open(dir, false)
	if err != nil {
		return err
	}
	name := opt.name
	if name == "" {
		name = storeedit.Slug(subjectName(anchor))
	}
	file, added, err := edit.Anchor(opt.group, name, anchor)
	if err != nil {
		return err
	}
	if added {
		if err := edit.Write(); err != nil {
			return err
		}
	}
	if opt.json {
		info := serverAuthority{storeChange: newStoreChange(dir), Server: server, Verified: verified}
		for _, c := range chain {
			info.Chain = append(info.Chain, describeCert("", c))
		}
		info.Anchors = append(info.Anchors, describeCert(anchorName(file), anchor))
		info.written(edit)
		if !added {
			info.Files = append(info.Files, fileInfo{Path: filepath.Join(dir, filepath.FromSlash(file)), State: storeedit.Unchanged})
		}
		return answer(cmd, info)
	}
	if !added {
		fmt.Fprintf(out, "%s is that authority already.\n", file)
	} else {
		fmt.Fprintf(out, "Added as %s.\n", file)
	}
	return nil
}

// serverAuthority is what 'certs add-ca --json' prints.
type serverAuthority struct {
	*storeChange
	Server   string     `json:"server"`
	Chain    []certInfo `json:"chain"`    // what it sends, its own certificate first
	Verified bool       `json:"verified"` // up to an authority that was trusted before
}

// parseServer reads https://HOST[:PORT], or HOST[:PORT].
func parseServer(target string) (host, port string, err error) {
	text := target
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", "", fmt.Errorf("%q: give a server as https://HOST or https://HOST:PORT", target)
	}
	port = u.Port()
	if port == "" {
		port = "443"
	}
	return u.Hostname(), port, nil
}

// rootsOf reads authorities in PEM; nil without a file.
func rootsOf(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, badInput(fmt.Errorf("--roots: %w", err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, badInput(fmt.Errorf("--roots: %s holds no certificate in PEM", file))
	}
	return pool, nil
}

// fetch returns what a server sends. Nothing is verified yet: that is what the chain
// is wanted for.
func (opt *certsAddCA) fetch(ctx context.Context, host, port string) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, opt.timeout, fmt.Errorf("no answer within %v", opt.timeout))
	defer cancel()
	var chain []*x509.Certificate
	d := tls.Dialer{Config: &tls.Config{
		ServerName:         host,
		InsecureSkipVerify: true, // see above
		VerifyConnection: func(s tls.ConnectionState) error {
			chain = s.PeerCertificates
			return nil
		},
	}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if len(chain) > 0 {
		// A server that wants a client certificate has shown its own by then.
		err = nil
	}
	if conn != nil {
		conn.Close()
	}
	return chain, err
}

// findAnchor verifies the chain and returns the authority at its end.
func findAnchor(chain []*x509.Certificate, host string, roots *x509.CertPool) (*x509.Certificate, error) {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	chains, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between})
	if err != nil {
		return nil, err
	}
	// The shortest chain's end outlives cross-signed detours.
	best := chains[0]
	for _, c := range chains {
		if len(c) < len(best) {
			best = c
		}
	}
	return best[len(best)-1], nil
}

// lastAuthority returns the self-signed authority that the server sends, if it does.
func lastAuthority(chain []*x509.Certificate) *x509.Certificate {
	for _, c := range chain {
		if c.IsCA && selfSigned(c) {
			return c
		}
	}
	return nil
}

func printChain(out io.Writer, chain []*x509.Certificate) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, c := range chain {
		fmt.Fprintf(w, "  %d\t%s\tissued by %s\tuntil %s\n", i, c.Subject, c.Issuer, c.NotAfter.UTC().Format(time.DateOnly))
	}
	w.Flush()
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return strings.ToUpper(strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":"))
}

// confirm asks at the terminal.
func confirm(cmd *cobra.Command, question string) (bool, error) {
	f, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false, errors.New("there is no terminal to ask at")
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil && line == "" {
		return false, err
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}
