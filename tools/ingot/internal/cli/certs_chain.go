package cli

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ingot.dev/certs"
)

// chainInfo says how far the certificates that an identity sends reach.
type chainInfo struct {
	State string `json:"state"` // one of the chain states
	With  string `json:"with"`  // the subject of the anchor, or of the authority that is needed
}

// Chain states.
const (
	chainComplete = "complete" // to an anchor of the store
	chainOpen     = "needs"    // to an authority that the store doesn't have; peers may
	chainAlone    = "self-signed"
	chainBroken   = "broken" // a certificate of it didn't sign the one before, or is out of date
)

func (c *chainInfo) String() string {
	if c.With == "" {
		return c.State
	}
	if c.State == chainComplete {
		return "to " + c.With
	}
	return c.State + " " + c.With
}

// chainState judges the chain of an identity by itself; the store's other problems are
// those of 'certs check'.
func chainState(id *certs.Identity, r *certs.Report, now time.Time) *chainInfo {
	chain := append([]*x509.Certificate{id.Leaf()}, id.Chain()...)
	last := chain[len(chain)-1]
	for i, c := range chain {
		out := now.Before(c.NotBefore) || now.After(c.NotAfter)
		if out && i > 0 || i > 0 && chain[i-1].CheckSignatureFrom(c) != nil {
			return &chainInfo{State: chainBroken, With: "at " + c.Subject.String()}
		}
	}
	for _, a := range r.Anchors {
		if bytes.Equal(last.RawIssuer, a.Cert.RawSubject) && last.CheckSignatureFrom(a.Cert) == nil {
			return &chainInfo{chainComplete, a.Cert.Subject.String()}
		}
	}
	if bytes.Equal(last.RawSubject, last.RawIssuer) {
		return &chainInfo{State: chainAlone}
	}
	return &chainInfo{chainOpen, last.Issuer.String()}
}

// anchorState is the same of an anchor, which needs nobody.
func anchorState(c *x509.Certificate) string {
	if bytes.Equal(c.RawSubject, c.RawIssuer) {
		return chainAlone
	}
	return "issued by " + c.Issuer.String()
}

// clientInfo is what a TLS client says to a server's certificate.
type clientInfo struct {
	Name    string `json:"name"` // by which it connects
	Accepts bool   `json:"accepts"`
	Trusts  string `json:"trusts"`           // whose authorities: the store's, this machine's, those of --roots
	Reason  string `json:"reason,omitempty"` // why not
	Fix     string `json:"fix,omitempty"`
}

// clients asks a client for each name of a server's identity. It trusts the roots, or
// else the store's anchors, or else what this machine trusts.
func clients(id *certs.Identity, r *certs.Report, roots *x509.CertPool, now time.Time) []clientInfo {
	if !id.ForServers() {
		return nil
	}
	type trust struct {
		who  string
		pool *x509.CertPool
	}
	trusts := []trust{{"--roots", roots}}
	if roots == nil {
		store := x509.NewCertPool()
		for _, a := range r.Anchors {
			store.AddCert(a.Cert)
		}
		trusts = []trust{{"store", store}}
		if machine, err := x509.SystemCertPool(); err == nil {
			trusts = append(trusts, trust{"machine", machine})
		}
	}
	between := x509.NewCertPool()
	for _, c := range id.Chain() {
		between.AddCert(c)
	}
	var list []clientInfo
	for _, name := range id.Names() {
		name = strings.Replace(name, "*", "any", 1)
		info := clientInfo{Name: name, Trusts: trusts[0].who}
		for i, t := range trusts {
			_, err := id.Leaf().Verify(x509.VerifyOptions{DNSName: name, Roots: t.pool, Intermediates: between, CurrentTime: now})
			if err == nil {
				info = clientInfo{Name: name, Accepts: true, Trusts: t.who}
				break
			}
			if i > 0 {
				continue // the first reason is the nearer one
			}
			err = certs.Explain(err)
			if e, ok := errors.AsType[*certs.VerifyError](err); ok {
				info.Reason, info.Fix = e.Reason, e.Fix
			} else {
				info.Reason, info.Fix = err.Error(), "have it issued again"
			}
		}
		list = append(list, info)
	}
	return list
}

// printClients says the same for people: once for all names that get the same answer.
func printClients(out io.Writer, id *certs.Identity, list []clientInfo) {
	type words struct{ accepts, trusts, reason, fix string }
	var order []words
	names := map[words][]string{}
	for _, c := range list {
		w := words{fmt.Sprint(c.Accepts), c.Trusts, c.Reason, c.Fix}
		if !slices.Contains(order, w) {
			order = append(order, w)
		}
		names[w] = append(names[w], c.Name)
	}
	who := map[string]string{"store": "the store's authorities", "machine": "this machine's authorities", "--roots": "the authorities of --roots"}
	for _, w := range order {
		all := strings.Join(names[w], ", ")
		if w.accepts == "true" {
			fmt.Fprintf(out, "%s: a client that trusts %s accepts it as %s\n", id.Name(), who[w.trusts], all)
			continue
		}
		fmt.Fprintf(out, "%s: a client that trusts %s refuses it as %s: %s\n    %s\n", id.Name(), who[w.trusts], all, w.reason, w.fix)
	}
}
