package certs_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/internal/simnet"
	"ingot.dev/tlsio"
)

func loadRules(t testing.TB, tree certstest.Tree) *certs.Store {
	t.Helper()
	store, err := certs.Load(tree.FS(), certs.Options{Rules: certs.Rules(), Bundles: certs.Bundles()})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return store
}

// pinFile is a set of pins as its file has it.
func pinFile(primary, backup *x509.Certificate) []byte {
	return certs.PinSet{Primary: []certs.Pin{certs.PinOf(primary)}, Backup: []certs.Pin{certs.PinOf(backup)}}.Text()
}

// secure runs a handshake of tlsio's and returns both sides' errors.
func secure(t *testing.T, server, client tlsio.TLSOptions) (serverErr, clientErr error) {
	t.Helper()
	s, err := tlsio.NewServerContext(server)
	if err != nil {
		t.Fatal(err)
	}
	client.Host = "a.test"
	return meet(t, s, client)
}

// meet is secure with a server that is there.
func meet(t *testing.T, s *tlsio.SecureContext, client tlsio.TLSOptions) (serverErr, clientErr error) {
	t.Helper()
	c, err := tlsio.NewClientContext(client)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	near, far := simnet.Pair(simnet.StreamOptions{})
	defer near.Close()
	done := make(chan error, 1)
	go func() {
		defer far.Close()
		conn, err := s.Secure(ctx, far, tlsio.SecureOptions{})
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		done <- err
	}()
	conn, clientErr := c.Secure(ctx, near, tlsio.SecureOptions{})
	if clientErr == nil {
		_, clientErr = conn.Read(make([]byte, 1))
	}
	near.Close()
	return <-done, clientErr
}

// TestRulesByTLSIO: what the store holds is handed to tlsio in a line for each, and
// judges peers: a server's clients by a group and its lists, servers by pins.
func TestRulesByTLSIO(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	fleet := certstest.NewCA(t, certstest.Template{CommonName: "Fleet"})
	server := ca.Issue(certstest.Template{Names: []string{"a.test"}})
	spare := ca.Issue(certstest.Template{Names: []string{"a.test"}})
	good, stolen := fleet.Issue(certstest.Template{Client: true}), fleet.Issue(certstest.Template{Client: true})
	stranger := ca.Issue(certstest.Template{Client: true})
	tree := certstest.Tree{
		"crls/fleet.crl":         fleet.CRL(certstest.RevocationTemplate{Revoked: []*certstest.Identity{stolen}}),
		"pins/a.test.pins":       pinFile(server.Cert, spare.Cert),
		"pins/changed.pins":      pinFile(spare.Cert, good.Cert),
		"pins/by authority.pins": pinFile(ca.Cert, spare.Cert),
	}
	tree.AddAnchor("", ca)
	tree.AddAnchor("fleet", fleet)
	tree.AddIdentity("default", server)
	for name, id := range map[string]*certstest.Identity{"good": good, "stolen": stolen, "stranger": stranger} {
		if name != "stolen" { // our own would make Load fail
			tree.AddIdentity(name, id)
		}
	}
	store := loadRules(t, tree)

	options := tlsio.TLSOptions{
		GetCertificate: store.GetCertificate, ClientAuth: tlsio.ClientAuthRequire, NoSessions: true,
		With: []tlsio.Feature{tlsio.RootsFor(store.Trust("fleet")), tlsio.CRLs{DER: store.CRLs()}},
	}
	var revoked *tlsio.RevokedError
	for _, tt := range []struct {
		who  string
		id   *certstest.Identity
		want func(error) bool
	}{
		{"a good client", good, func(err error) bool { return err == nil }},
		{"a client whose key was stolen", stolen, func(err error) bool { return errors.As(err, &revoked) }},
		{"a client of another group", stranger, func(err error) bool { return errors.As(err, new(x509.UnknownAuthorityError)) }},
	} {
		serverErr, _ := secure(t, options, tlsio.TLSOptions{
			Roots: store.Roots(""), ClientCertificate: [][]byte{tt.id.DER}, ClientKey: [][]byte{tt.id.KeyDER}})
		if !tt.want(serverErr) {
			t.Errorf("%s: %v", tt.who, serverErr)
		}
	}

	plain := tlsio.TLSOptions{GetCertificate: store.GetCertificate, NoSessions: true}
	var unpinned *tlsio.PinError
	for _, tt := range []struct {
		set  string
		want func(error) bool
	}{
		{"a.test", func(err error) bool { return err == nil }},
		{"A.TEST.", func(err error) bool { return err == nil }},
		{"by authority", func(err error) bool { return err == nil }},
		{"changed", func(err error) bool { return errors.As(err, &unpinned) }},
	} {
		_, clientErr := secure(t, plain, tlsio.TLSOptions{Roots: store.Roots(""), With: []tlsio.Feature{tlsio.Pins(store.Pins(tt.set))}})
		if !tt.want(clientErr) {
			t.Errorf("pins of %s: %v", tt.set, clientErr)
		}
	}

	// What isn't there is refused, not left out.
	for what, feature := range map[string]tlsio.Feature{
		"Pins": tlsio.Pins(store.Pins("nowhere.test")),
		"CRLs": tlsio.CRLs{DER: load(t, certstest.Tree{"anchors/ca.der": ca.DER()}).CRLs()},
	} {
		var bad *tlsio.OptionError
		if _, err := tlsio.NewClientContext(tlsio.TLSOptions{With: []tlsio.Feature{feature}}); !errors.As(err, &bad) {
			t.Errorf("%s that the store hasn't: %v", what, err)
		}
	}
}

// TestCRLs: lists are judged by the certificates in the store, and these by the lists.
func TestCRLs(t *testing.T) {
	root := certstest.NewCA(t, certstest.Template{CommonName: "Root"})
	below := root.Intermediate(certstest.Template{CommonName: "Below"})
	many := certstest.NewCA(t, certstest.Template{CommonName: "In a bundle"})
	impostor := certstest.NewCA(t, certstest.Template{CommonName: "Root", Modify: func(c *x509.Certificate) { c.SubjectKeyId = root.Cert.SubjectKeyId }})
	namesake := certstest.NewCA(t, certstest.Template{CommonName: "Root"})
	leaf := below.Issue(certstest.Template{Names: []string{"a.test"}})
	other := below.Issue(certstest.Template{Names: []string{"b.test"}})
	revoke := func(ids ...*certstest.Identity) certstest.RevocationTemplate {
		return certstest.RevocationTemplate{Revoked: ids}
	}
	now := time.Now()
	day := 24 * time.Hour
	good := root.CRL(revoke())
	delta := func(l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
	}
	belowID := &certstest.Identity{Cert: below.Cert}
	const file = "crls/a.crl"
	for _, tt := range []struct {
		what    string
		file    string
		data    []byte
		problem error // nil if Load accepts it
		warning error // nil for none
		words   string
	}{
		{"of an anchor", file, good, nil, nil, ""},
		{"of an intermediate", file, below.CRL(revoke(other)), nil, nil, ""},
		{"of an anchor in a bundle", file, many.CRL(revoke()), nil, nil, ""},
		{"of nobody here", file, certstest.NewCA(t, certstest.Template{CommonName: "Nobody"}).CRL(revoke(leaf)), nil, certs.ErrUnknownAuthority, `says that "CN=Nobody" has`},
		{"of another of the name", file, namesake.CRL(revoke(belowID)), nil, certs.ErrUnknownAuthority, ""},
		{"forged", file, impostor.CRL(revoke()), certs.ErrCRL, nil, `names the key of "CN=Root", and isn't`},
		{"our certificate", file, below.CRL(revoke(leaf)), certs.ErrRevoked, nil, "says crls/a.crl"},
		{"our intermediate", file, root.CRL(revoke(belowID)), certs.ErrRevoked, nil, "CN=Below"},
		{"out of date", file, root.CRL(certstest.RevocationTemplate{ThisUpdate: now.Add(-3 * day), NextUpdate: now.Add(-day)}), nil, certs.ErrExpired, "without a newer one"},
		{"not valid yet", file, root.CRL(certstest.RevocationTemplate{ThisUpdate: now.Add(2 * day)}), nil, certs.ErrNotYetValid, "the clock says"},
		{"in its last days", file, root.CRL(certstest.RevocationTemplate{ThisUpdate: now.Add(-9 * day), NextUpdate: now.Add(day)}), nil, certs.ErrExpiresSoon, "only until"},
		{"a delta", file, root.CRL(certstest.RevocationTemplate{Modify: delta}), certs.ErrCRL, nil, "critical extension 2.5.29.27"},
		{"PEM", file, toPEM("X509 CRL", good), certs.ErrPEM, nil, "openssl crl -in crls/a.crl"},
		{"cut short", file, good[:len(good)-1], certs.ErrCRL, nil, "cut short"},
		{"with bytes behind it", file, append(bytes.Clone(good), 0), certs.ErrCRL, nil, ""},
		{"empty", file, nil, certs.ErrEmptyFile, nil, ""},
		{"a certificate", file, leaf.DER, certs.ErrCRL, nil, ""},
		{"too large", file, make([]byte, certs.MaxCRLSize+1), certs.ErrTooLarge, nil, ""},
		{"called otherwise", "crls/a.der", good, certs.ErrUnexpectedFile, nil, ".crl; 'ingot certs crl' makes them"},
		{"in a folder", "crls/deep/a.crl", good, certs.ErrUnexpectedFile, nil, ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			tree := certstest.Tree{tt.file: tt.data, publicBundle: makeBundle(t, many.Cert)}
			tree.AddAnchor("", root)
			tree.AddIdentity("default", leaf)
			store, err := certs.Load(tree.FS(), certs.Options{Rules: certs.Rules(), Bundles: certs.Bundles()})
			report := certs.Inspect(tree.FS(), certs.Options{})
			if (err == nil) != (tt.problem == nil) || err != nil && (!errors.Is(err, tt.problem) || !strings.Contains(err.Error(), tt.words)) {
				t.Fatalf("Load: %v, want %v with %q", err, tt.problem, tt.words)
			}
			if fmt.Sprint(report.Err()) != fmt.Sprint(err) {
				t.Errorf("Load: %v\nInspect: %v", err, report.Err())
			}
			for _, p := range certs.Problems(err) {
				if p.File == "" || p.Fix == "" {
					t.Errorf("incomplete: %#v", p)
				}
			}
			if err != nil {
				return
			}
			warnings := store.Warnings()
			if len(report.Warnings) != len(warnings) {
				t.Errorf("Load warns of %v, Inspect of %v", warnings, report.Warnings)
			}
			if tt.warning == nil && len(warnings) > 0 || tt.warning != nil && (len(warnings) != 1 || warnings[0].Kind != tt.warning || !strings.Contains(warnings[0].Error(), tt.words)) {
				t.Errorf("warnings: %v, want %v with %q", warnings, tt.warning, tt.words)
			}
			if lists := report.CRLs(); len(lists) != 1 || lists[0].Verified == (tt.warning == certs.ErrUnknownAuthority) || lists[0].File != tt.file {
				t.Errorf("CRLs = %+v", lists)
			}
			if der := store.CRLs(); len(der) != 1 || !bytes.Equal(der[0], tt.data) {
				t.Error("the list that Store.CRLs returns isn't the file's")
			}
		})
	}
	tree := certstest.Tree{"anchors/ca.der": root.DER()}
	for i := range certs.MaxCRLs + 1 {
		tree[fmt.Sprintf("crls/%d.crl", i)] = good
	}
	if _, err := certs.Load(tree.FS(), certs.Options{Rules: certs.Rules()}); !errors.Is(err, certs.ErrTooMany) {
		t.Errorf("too many: %v", err)
	}
}

func TestPins(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	leaf := ca.Issue(certstest.Template{Names: []string{"a.test"}})
	p, q := certs.PinOf(ca.Cert).String(), certs.PinOf(leaf.Cert).String()
	if p != "sha256/"+tlsio.PinOf(ca.Cert) {
		t.Errorf("PinOf = %s, and tlsio's %s", p, tlsio.PinOf(ca.Cert))
	}
	for _, tt := range []struct {
		what  string
		file  string
		text  string
		kind  error // nil if it is accepted
		words string
	}{
		{"as it is made", "pins/a.test.pins", "primary " + p + "\nbackup  " + q + "\n", nil, ""},
		{"with labels, notes and empty lines", "pins/a.pins", "# ours\r\n\r\n\tprimary " + p + "  the CA\r\nbackup " + q + " in the safe\r\n#", nil, ""},
		{"backup first, and no last newline", "pins/a.pins", "backup " + q + "\nprimary " + p, nil, ""},
		{"no backup", "pins/a.pins", "primary " + p + "\nprimary " + q, certs.ErrPins, "no backup pin"},
		{"no primary", "pins/a.pins", "backup " + q, certs.ErrPins, "no primary pin"},
		{"the same twice", "pins/a.pins", "primary " + p + "\nbackup " + p, certs.ErrPins, "line 2: the key is there twice"},
		{"another word", "pins/a.pins", "primary " + p + "\nspare " + q, certs.ErrPins, `line 2: "spare" is neither`},
		{"nothing behind a word", "pins/a.pins", "primary\nbackup " + q, certs.ErrPins, "line 1: there is no pin"},
		{"no base64", "pins/a.pins", "primary sha256/hello\nbackup " + q, certs.ErrPins, `line 1: "sha256/hello" is no pin`},
		{"another hash", "pins/a.pins", "primary sha1/" + p[7:] + "\nbackup " + q, certs.ErrPins, "is no pin"},
		{"empty", "pins/a.pins", "", certs.ErrEmptyFile, "the file is empty"},
		{"capitals in the name", "pins/A.test.pins", "primary " + p + "\nbackup " + q, certs.ErrPins, "rename it to pins/a.test.pins"},
		{"a dot at the end", "pins/a.test..pins", "primary " + p + "\nbackup " + q, certs.ErrPins, "rename it to pins/a.test.pins"},
		{"called otherwise", "pins/a.pin", "primary " + p + "\nbackup " + q, certs.ErrUnexpectedFile, ".pins; 'ingot certs pin'"},
		{"too large", "pins/a.pins", strings.Repeat("#\n", certs.MaxFileSize), certs.ErrTooLarge, ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			tree := certstest.Tree{tt.file: []byte(tt.text)}
			tree.AddAnchor("", ca)
			store, err := certs.Load(tree.FS(), certs.Options{Rules: certs.Rules()})
			if (err == nil) != (tt.kind == nil) || err != nil && (!errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.words)) {
				t.Fatalf("Load: %v, want %v with %q", err, tt.kind, tt.words)
			}
			for _, problem := range certs.Problems(err) {
				if problem.File != tt.file || problem.Fix == "" {
					t.Errorf("incomplete: %#v", problem)
				}
			}
			if err != nil {
				return
			}
			name := strings.TrimSuffix(strings.TrimPrefix(tt.file, "pins/"), ".pins")
			if got := store.Pins(name); !slices.Equal(got, []string{p, q}) {
				t.Errorf("Pins = %q", got)
			}
			sets := store.PinSets()
			if len(sets) != 1 || sets[0].Name != name || len(sets[0].Primary) != 1 || len(sets[0].Backup) != 1 {
				t.Fatalf("PinSets = %+v", sets)
			}
			// What Text writes is read as the same.
			tree[tt.file] = sets[0].Text()
			if again := loadRules(t, tree).PinSets(); fmt.Sprint(again) != fmt.Sprint(sets) {
				t.Errorf("%v became %v", sets, again)
			}
		})
	}
}

// TestUnknownPins: a set that matches nothing in the store is worth a word of the
// tools', and none of the firmware's.
func TestUnknownPins(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	below := ca.Intermediate(certstest.Template{})
	leaf := ca.Issue(certstest.Template{Names: []string{"a.test"}})
	stranger := ca.Issue(certstest.Template{Names: []string{"b.test"}})
	for _, tt := range []struct {
		what    string
		primary *x509.Certificate
		unknown bool
	}{
		{"an anchor", ca.Cert, false}, {"an intermediate", below.Cert, false}, {"an identity", leaf.Cert, false}, {"nothing", stranger.Cert, true},
	} {
		tree := certstest.Tree{"pins/x.pins": pinFile(tt.primary, certstest.NewCA(t, certstest.Template{}).Cert), "intermediates/a.der": below.DER()}
		tree.AddAnchor("", ca)
		tree.AddIdentity("default", leaf)
		report := certs.Inspect(tree.FS(), certs.Options{})
		if known := report.Pinned(certs.PinOf(tt.primary)); (known == nil) != tt.unknown || known != nil && !known.Equal(tt.primary) {
			t.Errorf("%s: Pinned = %v", tt.what, known)
		}
		if len(report.Problems) > 0 || (len(report.Warnings) == 1 && report.Warnings[0].Kind == certs.ErrPins) != tt.unknown {
			t.Errorf("%s: %v, warnings %v", tt.what, report.Err(), report.Warnings)
		}
		if w := loadRules(t, tree).Warnings(); len(w) > 0 {
			t.Errorf("%s: Load warns of %v", tt.what, w)
		}
	}
}

// TestRulesNeedCode: a program that doesn't ask for the code doesn't leave rules out
// in silence.
func TestRulesNeedCode(t *testing.T) {
	tree, ca := sound(t)
	for file, data := range map[string][]byte{
		"crls/a.crl":  ca.CRL(certstest.RevocationTemplate{}),
		"pins/a.pins": pinFile(ca.Cert, certstest.NewCA(t, certstest.Template{}).Cert),
	} {
		fsys := tree.FS()
		fsys[file] = certstest.Tree{"x": data}.FS()["x"]
		_, err := certs.Load(fsys, certs.Options{})
		if !errors.Is(err, certs.ErrNoCode) || !strings.Contains(err.Error(), "set Rules in certs.Options") || certs.Problems(err)[0].File != strings.Split(file, "/")[0] {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// FuzzRules puts any bytes into a list and a set of pins.
func FuzzRules(f *testing.F) {
	ca := certstest.NewCA(f, certstest.Template{})
	list := ca.CRL(certstest.RevocationTemplate{Revoked: []*certstest.Identity{ca.Issue(certstest.Template{})}})
	pins := pinFile(ca.Cert, certstest.NewCA(f, certstest.Template{}).Cert)
	f.Add(list, pins)
	f.Add(list[:len(list)/2], pins[:len(pins)/2])
	f.Add([]byte{0x30, 0}, []byte("primary sha256/\nbackup\n#\n\x00"))
	f.Add(toPEM("X509 CRL", list), []byte("primary primary"))
	f.Fuzz(func(t *testing.T, list, pins []byte) {
		tree := certstest.Tree{"anchors/ca.der": ca.DER(), "crls/a.crl": list, "pins/a.pins": pins}
		store, err := certs.Load(tree.FS(), certs.Options{Rules: certs.Rules()})
		for _, p := range certs.Problems(err) {
			if p.File == "" || p.Kind == nil || p.Reason == "" || p.Fix == "" {
				t.Errorf("incomplete: %#v", p)
			}
		}
		if err != nil {
			if len(certs.Problems(err)) == 0 {
				t.Fatalf("an error without a FileError: %v", err)
			}
			return
		}
		// What is accepted is of use to tlsio.
		_, err = tlsio.NewClientContext(tlsio.TLSOptions{With: []tlsio.Feature{tlsio.Pins(store.Pins("a")), tlsio.CRLs{DER: store.CRLs()}}})
		if err != nil {
			t.Errorf("accepted by Load, and %v", err)
		}
	})
}
