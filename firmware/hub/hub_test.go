package hub

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
	"ingot.dev/firmware/tally"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/jsonmsg"
)

type rig struct {
	*servicetest.Rig
	addr string
	port int
}

func serve(t *testing.T, o Options) *rig {
	t.Helper()
	o.Listen = "127.0.0.1:0"
	service, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Rig: servicetest.New(t)}
	r.addr, _ = r.Serve(t, service)
	_, port, _ := net.SplitHostPort(r.addr)
	r.port, _ = strconv.Atoi(port)
	return r
}

// member is a client, with what it was sent.
type member struct {
	*jsonmsg.Client
	got chan string
}

// join connects a client whose certificate has a name, or that has none.
func (r *rig) join(t *testing.T, name string, password any, request func(json.RawMessage) any) *member {
	t.Helper()
	m := &member{got: make(chan string, 1000)}
	options := tlsio.TLSOptions{CA: [][]byte{r.CA.DER()}}
	if name != "" {
		id := r.CA.Issue(certstest.Template{CommonName: name, Client: true})
		options.ClientCertificate, options.ClientKey = [][]byte{id.DER}, [][]byte{id.KeyDER}
	}
	ctx, cancel := context.WithTimeout(t.Context(), servicetest.Patience)
	defer cancel()
	var err error
	m.Client, err = jsonmsg.Dial(ctx, tlsio.HostNetwork{}, jsonmsg.ClientOptions{
		TLS: options, Host: "localhost", Address: "127.0.0.1", Port: r.port, Password: password,
		RequestTimeout: servicetest.Patience,
		OnMessage:      func(_ *jsonmsg.Client, body json.RawMessage) { m.got <- string(body) },
		OnRequest: func(_ *jsonmsg.Client, body json.RawMessage, re *jsonmsg.Responder) {
			if request != nil {
				re.Send(request(body))
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func (m *member) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-m.got:
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	case <-time.After(servicetest.Patience):
		t.Fatalf("never got %s", want)
	}
}

func (m *member) ask(t *testing.T, question any) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servicetest.Patience)
	defer cancel()
	answer, err := m.Request(ctx, question)
	if err != nil {
		t.Fatalf("%v: %v", question, err)
	}
	return string(answer)
}

// joined waits until the hub knows n clients: it does a little after they do.
func (r *rig) joined(t *testing.T, n int) {
	t.Helper()
	r.Log.Wait(t, fmt.Sprintf(`(?s)(msg=joined.*){%d}`, n))
}

type object = map[string]any

func TestMessages(t *testing.T) {
	r := serve(t, Options{Options: endpoint.Options{ClientAuth: tlsio.ClientAuthRequire}})
	a, b, c := r.join(t, "sensor", nil, nil), r.join(t, "display", nil, nil), r.join(t, "display", nil, nil)
	r.joined(t, 3)
	a.Send(object{"message": []int{1, 2}})
	b.expect(t, `{"from":"sensor","message":[1,2]}`)
	c.expect(t, `{"from":"sensor","message":[1,2]}`)
	c.Send(object{"to": "sensor", "message": "hello"})
	a.expect(t, `{"from":"display","message":"hello"}`)
	a.Send(object{"to": "display", "message": object{"requestId": 5, "__ping": 1}}) // fields of the protocol, further in
	b.expect(t, `{"from":"sensor","message":{"__ping":1,"requestId":5}}`)
	c.expect(t, `{"from":"sensor","message":{"__ping":1,"requestId":5}}`)
	if got := a.ask(t, object{"op": "clients"}); got != `{"clients":["display","display","sensor"]}` {
		t.Errorf("%s", got)
	}
	b.Close()
	r.Log.Wait(t, `left service=json name=display`)
	if got := a.ask(t, object{"op": "clients"}); got != `{"clients":["display","sensor"]}` {
		t.Errorf("%s", got)
	}
	// What no form knows is dropped, and what follows isn't.
	for _, bad := range []any{object{"text": 1}, "text", []int{1}, object{"message": 1, "op": "clients"}, object{"to": 7, "message": 1}, object{"to": "nobody", "message": 1}} {
		a.Send(bad)
	}
	a.Send(object{"message": "last"})
	c.expect(t, `{"from":"sensor","message":"last"}`)
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Errors[tally.Protocol].Load() == 6 })
}

func TestRequests(t *testing.T) {
	r := serve(t, Options{Password: "secret"})
	a := r.join(t, "", "secret", nil)
	b := r.join(t, "", "secret", func(body json.RawMessage) any {
		var d delivered
		json.Unmarshal(body, &d)
		return object{"of": d.From, "doubled": string(d.Request) + string(d.Request)}
	})
	silent := r.join(t, "", "secret", nil)
	r.joined(t, 3)
	names := a.ask(t, object{"op": "clients"})
	var list struct{ Clients []string }
	if err := json.Unmarshal([]byte(names), &list); err != nil || len(list.Clients) != 3 {
		t.Fatalf("%s, %v", names, err)
	}
	// Names are numbers in the order in which they came.
	if got, want := a.ask(t, object{"to": list.Clients[1], "request": object{"x": 1}}),
		fmt.Sprintf(`{"from":%q,"answer":{"doubled":"{\"x\":1}{\"x\":1}","of":%q}}`, list.Clients[1], list.Clients[0]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for question, want := range map[*object]string{
		{"to": "nobody", "request": object{}}:        "nobody of that name",
		{"to": list.Clients[1], "request": 5}:        "not of a form",
		{"op": "reboot"}:                             "not of a form",
		{"op": "clients", "to": "x"}:                 "not of a form",
		{"message": "x"}:                             "not of a form",
		{"to": list.Clients[0], "request": object{}}: "nobody of that name", // itself
	} {
		if got := a.ask(t, *question); !strings.Contains(got, `"error":"`) || !strings.Contains(got, want) {
			t.Errorf("%v: %s, want %q", *question, got, want)
		}
	}
	// Who never answers holds up nothing else, and its end answers.
	waiting := make(chan string, 1)
	go func() { waiting <- a.ask(t, object{"to": list.Clients[2], "request": object{}}) }()
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Messages.Load() >= 9 })
	a.Send(object{"to": list.Clients[1], "message": "meanwhile"})
	b.expect(t, fmt.Sprintf(`{"from":%q,"message":"meanwhile"}`, list.Clients[0]))
	silent.Close()
	if got := <-waiting; !strings.Contains(got, "connection lost") {
		t.Errorf("%s", got)
	}
}

// TestStrangers: without the password, or the certificate, nobody hears or says anything.
func TestStrangers(t *testing.T) {
	r := serve(t, Options{Password: "secret"})
	a := r.join(t, "", "secret", nil)
	r.joined(t, 1)
	_, err := jsonmsg.Dial(t.Context(), tlsio.HostNetwork{}, jsonmsg.ClientOptions{
		TLS: tlsio.TLSOptions{CA: [][]byte{r.CA.DER()}}, Host: "localhost", Address: "127.0.0.1", Port: r.port, Password: "wrong"})
	if !errors.Is(err, jsonmsg.ErrIncorrectPassword) {
		t.Errorf("%v", err)
	}
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Errors[tally.Protocol].Load() == 1 })
	// Nonsense of any kind ends, or is skipped, without harm to others.
	for _, nonsense := range []string{"GET / HTTP/1.1\r\n\r\n", strings.Repeat("x", 100_000), "\x00\xff\n", strings.Repeat("[", 50_000) + "\n", `{"password":"secret"}` + "\n" + strings.Repeat(`{"a":`, 3000) + "\n{}\nnull\n{\"message\":\n"} {
		c, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(servicetest.Patience))
		io.WriteString(c, nonsense)
		c.CloseWrite()
		io.Copy(io.Discard, c)
		c.Close()
	}
	// The last of them had the password: when it is gone, the first is alone again.
	for limit := time.Now().Add(servicetest.Patience); a.ask(t, object{"op": "clients"}) != `{"clients":["client-0"]}`; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s", a.ask(t, object{"op": "clients"}))
		}
	}
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Open.Load() == 1 })
}

// TestSlowReader: who doesn't read loses messages, and then its connection; others lose
// nothing.
func TestSlowReader(t *testing.T) {
	r := serve(t, Options{Options: endpoint.Options{StallTimeout: 5 * time.Second}, Password: "secret",
		Limits: jsonmsg.Limits{WriteTimeout: 5 * time.Second, MaxQueue: 1 << 20}})
	raw, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	raw.(*net.TCPConn).SetReadBuffer(4096)
	slow := tls.Client(raw, &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"})
	defer slow.Close()
	io.WriteString(slow, `{"password":"secret"}`+"\n")
	if line, err := bufio.NewReaderSize(slow, 16).ReadString('\n'); err != nil || !strings.Contains(line, "authenticated") {
		t.Fatalf("%q, %v", line, err)
	}
	a, b := r.join(t, "", "secret", nil), r.join(t, "", "secret", nil)
	r.joined(t, 3)
	text := strings.Repeat("x", 100_000)
	for i := range 80 { // 8 MB: more than the server's socket holds
		if err := a.Send(object{"message": fmt.Sprintf("%d %s", i, text)}); err != nil {
			t.Fatal(err)
		}
		select { // b is no slow reader: what it can't take in time isn't what is tested
		case got := <-b.got:
			if want := fmt.Sprintf(`"message":"%d %s"}`, i, text); !strings.HasSuffix(got, want) {
				t.Fatalf("message %d is another: %.60s", i, got)
			}
		case <-time.After(servicetest.Patience):
			t.Fatalf("message %d never came", i)
		}
	}
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Open.Load() == 2 })
}

func TestOptions(t *testing.T) {
	_, err := New(Options{Limits: jsonmsg.Limits{MaxMessage: -5}, RequestTimeout: -7})
	servicetest.Wants(t, err, "Listen", "Password", "MaxMessage", "RequestTimeout")
	_, err = New(Options{Options: endpoint.Options{Listen: ":1", ClientGroup: "x", ClientAuth: tlsio.ClientAuthRequest}})
	servicetest.Wants(t, err, "ClientAuth")
	_, err = New(Options{Options: endpoint.Options{Listen: ":1"}, Password: func() {}})
	servicetest.Wants(t, err, "Password")
}

// FuzzOpen: what clients send is of a form, or refused; nothing else comes through.
func FuzzOpen(f *testing.F) {
	for _, s := range []string{`{"message":1}`, `{"to":"x","message":null}`, `{"op":"clients"}`, `{"to":"x","request":{}}`, `{"to":"x","request": {"a":1}}`, `[]`, `null`, `{"MESSAGE":1,"message":2}`, `{"to":"\ud800","message":1}`} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, request bool) {
		e, err := open(json.RawMessage(s), request)
		if err != nil {
			return
		}
		d := delivered{From: "x", Message: e.Message, Request: e.Request}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatalf("%q was opened and can't be passed on: %v", s, err)
		}
		var back map[string]json.RawMessage
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		switch {
		case !request && (back["message"] == nil || back["request"] != nil):
			t.Errorf("%q became the message %s", s, text)
		case request && e.Op == "" && (e.To == "" || back["request"] == nil || back["message"] != nil):
			t.Errorf("%q became the request %s", s, text)
		}
	})
}
