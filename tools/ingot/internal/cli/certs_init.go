package cli

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/certs"
	"ingot.dev/internal/atomicfile"
	"ingot.dev/internal/pki"
	"ingot.dev/tools/ingot/internal/storeedit"
)

// What "certs init" makes inside DIR.
const (
	imageDir = "image" // the certificate store for the firmware
	hostDir  = "host"  // for curl and openssl on the developer's machine
	caDir    = "ca"    // the authority with its private key
)

// Names that a firmware in the emulator is reached by: through a forwarded
// port of this machine, by its multicast name, and by the address that QEMU's
// user-mode network gives to its first guest.
var (
	defaultNames = []string{"localhost", "ingot.local"}
	defaultIPs   = []string{"127.0.0.1", "::1", "10.0.2.15"}
)

// The second identity of the image, to see selection by server name work.
var altNames = []string{"alt.ingot.test", "*.alt.ingot.test"}

// hostNames are for a test server on the developer's machine that the firmware
// dials: QEMU's user-mode network shows that machine to its guest as 10.0.2.2.
var (
	hostNames = []string{"localhost", "host.ingot.test"}
	hostIPs   = []string{"127.0.0.1", "::1", "10.0.2.2"}
)

const maxDays = 3650

type certsInit struct {
	names     []string
	ips       []string
	days      int
	algorithm string
	force     bool
}

func newCertsInitCommand() *cobra.Command {
	var asJSON bool
	opt := certsInit{}
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make development certificates: an authority, servers and clients",
		Long: `init makes a certificate authority for development and what it issues:

  DIR/image   the certificate store to embed in the firmware: the authority as
              trust anchor, the identity 'default' for the names of --name and
              --ip, the identity 'alt' for alt.ingot.test, and the identity
              'client' for the firmware's own connections
  DIR/host    for curl and openssl on this machine: ca.pem, and with a key each
              client.pem and server.pem
  DIR/ca      the authority's private key; it stays off devices

Nothing that exists is overwritten without --force. In a new folder, a
.gitignore keeps the keys out of git.`,
		Example: `  ingot certs init build/certs
  ingot certs init build/certs --name sensor.example --ip 192.0.2.7 --days 30`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var made *certsMade
			err := working(cmd, "Making keys", func() (err error) {
				made, err = opt.run(args[0])
				return err
			})
			switch {
			case err != nil:
				return err
			case asJSON:
				return answer(cmd, made)
			}
			if err := made.print(cmd.OutOrStdout()); err != nil {
				return err
			}
			return opt.printNext(cmd.OutOrStdout(), made)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&opt.names, "name", defaultNames, "DNS name of the default server identity; give it again for more")
	f.StringSliceVar(&opt.ips, "ip", defaultIPs, "IP address of the default server identity; give it again for more")
	f.IntVar(&opt.days, "days", int(pki.DefaultValidity/(24*time.Hour)), "days until the certificates expire")
	f.StringVar(&opt.algorithm, "algorithm", string(pki.ECDSAP256), "kind of keys: "+strings.Join(algorithms(), ", "))
	f.BoolVar(&opt.force, "force", false, "overwrite what an earlier init made")
	addJSON(cmd, &asJSON)
	return cmd
}

// algorithms are the kinds of keys that there are.
func algorithms() []string {
	var list []string
	for _, a := range pki.Algorithms() {
		list = append(list, string(a))
	}
	return list
}

// certsMade is what 'certs init --json' and 'certs issue --json' print.
type certsMade struct {
	Dir          string     `json:"dir"`
	Certificates []certInfo `json:"certificates"`
	Files        []fileInfo `json:"files"`

	expiry time.Time
}

// file is one file to be written.
type file struct {
	path string // below DIR, with slashes
	data []byte
	mode fs.FileMode
}

const (
	public  fs.FileMode = 0o644
	private fs.FileMode = 0o600
)

func (opt *certsInit) run(dir string) (*certsMade, error) {
	if isStore(dir) {
		return nil, cannotWrite(fmt.Errorf("%s is a certificate store, in which there is no place for more folders: name the folder around it, or a new one", dir))
	}
	made := &certsMade{Dir: dir}
	files, err := opt.make(made)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); len(entries) == 0 && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		// Only in a folder of our own: in a project's it would hide the project.
		files = append(files, file{".gitignore", []byte("# Private keys: not for version control.\n*\n"), public})
	}
	if made.Files, err = writeNew(dir, files, opt.force); err != nil {
		return nil, err
	}
	image := filepath.Join(dir, imageDir)
	if err := certs.Inspect(os.DirFS(image), certs.Options{}).Err(); err != nil {
		// Ours are sound, so this is about files that were there before.
		return nil, badInput(fmt.Errorf("the certificates are made, but %s would not start in an image:\n%w", image, err))
	}
	return made, nil
}

// print says what was made.
func (made *certsMade) print(out io.Writer) error {
	_, err := fmt.Fprintf(out, `Made development certificates, valid until %s, in %s:
  %-8s to embed in the firmware: trust anchor, identities default, alt, client
  %-8s for programs on this machine: ca.pem, client.pem, server.pem and their keys
  %-8s the authority's private key: keep it off devices
`, made.expiry.UTC().Format(time.DateOnly), made.Dir, imageDir, hostDir, caDir)
	return err
}

// printNext says what to do with it.
func (opt *certsInit) printNext(out io.Writer, made *certsMade) error {
	dir := made.Dir
	image, ca := filepath.Join(dir, imageDir), filepath.Join(dir, hostDir, "ca.pem")
	_, err := fmt.Fprintf(out, `
Next: build and start a firmware that embeds %s ('ingot run'), then connect:
  openssl s_client -connect localhost:8443 -servername %s -CAfile %s -verify_return_error
Look at them with 'ingot certs ls %s'.
`, image, opt.serverName(), ca, dir)
	return err
}

// serverName is a name to try the server with.
func (opt *certsInit) serverName() string {
	if len(opt.names) > 0 {
		return strings.Replace(opt.names[0], "*", "any", 1)
	}
	return "localhost"
}

// make issues everything in memory, so that a failure leaves nothing behind.
func (opt *certsInit) make(made *certsMade) ([]file, error) {
	fail := func(err error) ([]file, error) { return nil, err }
	algorithm, err := pki.ParseAlgorithm(opt.algorithm)
	if err != nil {
		return fail(badFlag(fmt.Errorf("--algorithm: %w", err)))
	}
	if opt.days < 1 || opt.days > maxDays {
		return fail(badFlag(fmt.Errorf("--days %d: give a number from 1 to %d", opt.days, maxDays)))
	}
	ips, err := pki.ParseIPs(opt.ips)
	if err != nil {
		return fail(badFlag(fmt.Errorf("--ip: %w", err)))
	}
	for _, name := range opt.names {
		if why := certs.CheckDNSName(name); why != nil {
			return fail(badFlag(fmt.Errorf("--name %q: %w", name, why)))
		}
	}
	if len(opt.names)+len(ips) == 0 {
		return fail(badFlag(errors.New("a server needs a name: give --name or --ip")))
	}
	host, err := pki.ParseIPs(hostIPs)
	if err != nil {
		return fail(err)
	}

	now := time.Now()
	notBefore, notAfter := now.Add(-pki.DefaultBackdate), now.AddDate(0, 0, opt.days)
	template := func(cn string, names []string, ips []net.IP, usage x509.ExtKeyUsage) pki.Template {
		return pki.Template{CommonName: cn, DNSNames: names, IPs: ips, Usages: []x509.ExtKeyUsage{usage},
			NotBefore: notBefore, NotAfter: notAfter, Algorithm: algorithm}
	}
	const forServer, forClient = x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth

	// The name carries the day, so that somebody with several of them in a
	// trust store can tell them apart.
	ca, err := pki.NewAuthority(template("Ingot development CA "+now.UTC().Format(time.DateOnly), nil, nil, forServer))
	if err != nil {
		return fail(fmt.Errorf("making the authority: %w", err))
	}
	caKey, err := ca.KeyDER()
	if err != nil {
		return fail(err)
	}
	made.expiry = notAfter
	made.Certificates = append(made.Certificates, describeCert("ca", ca.Cert))
	files := []file{
		{caDir + "/ca.der", ca.DER(), public},
		{caDir + "/ca-key.der", caKey, private},
		{hostDir + "/ca.pem", ca.PEM(), public},
		{hostDir + "/ca.der", ca.DER(), public},
		{imageDir + "/anchors/dev-ca.der", ca.DER(), public},
	}
	issued := []struct {
		image, host string // where it goes: an identity, a base name for files
		template    pki.Template
	}{
		{certs.DefaultIdentity, "", template(opt.serverName(), opt.names, ips, forServer)},
		{"alt", "", template(altNames[0], altNames, nil, forServer)},
		{"client", "", template("Ingot device", nil, nil, forClient)},
		{"", "client", template("Ingot development client", nil, nil, forClient)},
		{"", "server", template(hostNames[0], hostNames, host, forServer)},
	}
	for _, i := range issued {
		cred, err := ca.Issue(i.template)
		if err != nil {
			return fail(fmt.Errorf("issuing the certificate of %s: %w", i.template.CommonName, err))
		}
		keyDER, err := cred.KeyDER()
		if err != nil {
			return fail(err)
		}
		made.Certificates = append(made.Certificates, describeCert(i.image+i.host, cred.Cert))
		if i.image != "" {
			dir := imageDir + "/identities/" + i.image + "/"
			files = append(files, file{dir + "cert.der", cred.DER(), public}, file{dir + "key.der", keyDER, private})
		}
		if i.host != "" {
			keyPEM, err := cred.KeyPEM()
			if err != nil {
				return fail(err)
			}
			base := hostDir + "/" + i.host
			files = append(files,
				file{base + ".pem", cred.PEM(), public}, file{base + "-key.pem", keyPEM, private},
				file{base + ".der", cred.DER(), public}, file{base + "-key.der", keyDER, private})
		}
	}
	return files, nil
}

// writeNew writes files below dir, all or none. Folders with keys are for the owner only.
// Without force it writes nothing if any of the files exists.
func writeNew(dir string, files []file, force bool) ([]fileInfo, error) {
	var list []fileInfo
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.path))
		state := storeedit.Created
		if _, err := os.Lstat(path); err == nil {
			if !force {
				return nil, cannotWrite(fmt.Errorf("%s exists: choose another folder, or replace what is there with --force", path))
			}
			state = storeedit.Replaced
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, cannotWrite(err)
		}
		list = append(list, fileInfo{path, state, f.mode == private})
	}
	tree, err := atomicfile.NewTree(dir)
	if err != nil {
		return nil, cannotWrite(err)
	}
	defer tree.Close()
	for _, dir := range []string{caDir, hostDir, imageDir} {
		tree.Keep(dir) // certificates and keys change together
	}
	for _, f := range files {
		if err := tree.Add(f.path, f.data, f.mode); err != nil {
			return nil, cannotWrite(err)
		}
	}
	return list, cannotWrite(tree.Commit())
}
