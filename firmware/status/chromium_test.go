package status

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/firmware/internal/servicetest"
)

// A browser is headless Chromium, spoken to by the DevTools protocol over its pipe:
// JSON, each with a zero byte behind it.
type browser struct {
	t       *testing.T
	out     *os.File
	replies chan reply
	session string
	id      int
	errors  []string // that the page had
}

type reply struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// open starts a browser at a page. Without Chromium the test is skipped.
func open(t *testing.T, url string) *browser {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			program = p
			break
		}
	}
	if program == "" {
		t.Skip("there is no Chromium; apt-get install chromium")
	}
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
		"--user-data-dir="+t.TempDir(), "--window-size=1200,1000", "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	b := &browser{t: t, out: ourOut, replies: make(chan reply, 1000)}
	go func() {
		defer close(b.replies)
		in := bufio.NewReaderSize(ourIn, 1<<20)
		for {
			text, err := in.ReadBytes(0)
			if err != nil {
				return
			}
			var r reply
			if json.Unmarshal(text[:len(text)-1], &r) == nil {
				b.replies <- r
			}
		}
	}()
	t.Cleanup(func() {
		fmt.Fprint(ourOut, `{"id":1000000,"method":"Browser.close"}`+"\x00")
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(servicetest.Patience):
			cmd.Process.Kill()
			<-ended
		}
		ourOut.Close()
		ourIn.Close()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	return b
}

// call calls a method, and notes errors of the page that are told meanwhile.
func (b *browser) call(method string, params any, result any) {
	b.t.Helper()
	b.id++
	request := map[string]any{"id": b.id, "method": method}
	if params != nil {
		request["params"] = params
	}
	if b.session != "" {
		request["sessionId"] = b.session
	}
	text, err := json.Marshal(request)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.out.Write(append(text, 0)); err != nil {
		b.t.Fatal(err)
	}
	limit := time.After(servicetest.Patience)
	for {
		select {
		case r, ok := <-b.replies:
			switch {
			case !ok:
				b.t.Fatalf("%s: the browser has ended", method)
			case r.ID == b.id && r.Error != nil:
				b.t.Fatalf("%s: %s", method, r.Error)
			case r.ID == b.id:
				if result != nil {
					if err := json.Unmarshal(r.Result, result); err != nil {
						b.t.Fatal(err)
					}
				}
				return
			case r.Method == "Runtime.exceptionThrown", r.Method == "Log.entryAdded" && !strings.Contains(string(r.Params), `"level":"info"`),
				r.Method == "Runtime.consoleAPICalled" && strings.Contains(string(r.Params), `"type":"error"`):
				b.errors = append(b.errors, string(r.Params))
			}
		case <-limit:
			b.t.Fatalf("%s: no answer", method)
		}
	}
}

// eval returns the value of an expression in the page, as text.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &r)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails)
	}
	return fmt.Sprint(r.Result.Value)
}

// until waits for an expression to be true.
func (b *browser) until(expression string) {
	b.t.Helper()
	for limit := time.Now().Add(servicetest.Patience); b.eval("(() => { try { return Boolean("+expression+") } catch { return false } })()") != "true"; {
		if time.Now().After(limit) {
			b.t.Fatalf("never true: %s; the page: %s; errors %q", expression, b.eval("document.body.innerText"), b.errors)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (b *browser) key(name string, code int) {
	b.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		params := map[string]any{"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code}
		if name == "Enter" && kind == "keyDown" {
			params["text"] = "\r"
		}
		b.call("Input.dispatchKeyEvent", params, nil)
	}
}

func (b *browser) screenshot(file string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil || len(png) < 5000 {
		b.t.Fatalf("a screenshot of %d bytes, %v", len(png), err)
	}
	dir := filepath.Join("..", "..", "build")
	if err := os.MkdirAll(dir, 0o755); err == nil {
		err = os.WriteFile(filepath.Join(dir, file), png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// TestInChromium: the page draws its plots, has no errors, and can be used with keys
// alone. Screenshots are left in build/.
func TestInChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	var asked atomic.Int64
	server := httptest.NewServer(handler(func() Status {
		n := asked.Add(1)
		at := float64(n)
		return Status{
			Board: "a board", Go: "go1.26", Time: time.Date(2026, 11, 22, 10, 0, int(n), 0, time.UTC), TimeSource: "time server ntp.test", EntropySource: "CAAM",
			Addresses: []string{"10.0.2.15/24"}, Uptime: 93_000 + at, Busy: at * 0.3,
			Memory: Memory{RAM: 512 << 20, Free: 400 << 20, Heap: uint64(9e6 + 1e6*float64(n%5)), Stacks: 1e6, Limit: 450 << 20, Goroutines: 40, GCs: 7},
			Services: []Service{
				{Name: "mqtt <b>", Kind: "terminate", Open: n % 9, Accepted: uint64(10 * n), Handshakes: uint64(9 * n), Received: uint64(n * n * 1000), Sent: uint64(n * 70_000), Errors: map[string]uint64{"handshake": uint64(n), "rate": 3}},
				{Name: "status", Kind: "status", Open: 1, Accepted: 1, Handshakes: 1, Messages: uint64(n), Errors: map[string]uint64{}},
			},
		}
	}))
	defer server.Close()
	b := open(t, server.URL+"/")
	b.until(`document.getElementById("state").textContent === "Live"`)

	// Six plots, each line with a few points, none of them outside of its box.
	b.until(`document.querySelectorAll("figure svg").length === 6`)
	b.until(`[...document.querySelectorAll("svg polyline")].every(p => p.points.length >= 3)`)
	b.until(`[...document.querySelectorAll("svg polyline")].every(p => [...p.points].every(q => q.y >= 0 && q.y <= 40 && q.x >= 0 && q.x <= 119))`)
	b.until(`[...document.querySelectorAll("svg")].every(s => s.getAttribute("role") === "img" && s.getAttribute("aria-label").includes("largest"))`)
	b.until(`document.querySelectorAll("svg polyline").length === 10`)
	// What came from the firmware is text, never markup.
	b.until(`document.querySelector("#rows th").textContent.startsWith("mqtt <b>") && !document.querySelector("#rows b")`)
	b.until(`document.getElementById("facts").innerText.includes("1 d 01:50") && document.getElementById("facts").innerText.includes("CAAM")`)
	b.until(`document.querySelector("#rows tr").lastChild.textContent.includes("rate 3")`)
	b.screenshot("status-light.png")
	light := b.eval(`getComputedStyle(document.body).backgroundColor`)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]any{{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	b.until(fmt.Sprintf(`getComputedStyle(document.body).backgroundColor !== %q`, light))
	b.screenshot("status-dark.png")

	// With the keyboard: every control is reached, in order, and can be seen to be.
	b.eval(`document.activeElement.blur()`)
	var reached []string
	for range 6 {
		b.key("Tab", 9)
		reached = append(reached, b.eval(`(e => e.id || e.getAttribute("href") || e.className)(document.activeElement)`))
		if outline := b.eval(`getComputedStyle(document.activeElement).outlineStyle`); outline == "none" {
			t.Errorf("%s has the focus, and nobody can see it", reached[len(reached)-1])
		}
	}
	if got := strings.Join(reached, " "); got != "#services every pause status.json metrics scroll" {
		t.Errorf("Tab goes to %s", got)
	}
	b.eval(`document.getElementById("pause").focus()`)
	b.key("Enter", 13)
	b.until(`document.getElementById("state").textContent === "Paused" && document.getElementById("pause").getAttribute("aria-pressed") === "true"`)
	b.key("Enter", 13)
	b.until(`document.getElementById("state").textContent === "Live"`)

	// A narrow window: nothing makes the page scroll sideways.
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": true}, nil)
	b.until(`document.documentElement.scrollWidth <= 360`)
	b.screenshot("status-narrow.png")

	if len(b.errors) > 0 {
		t.Errorf("the page had errors:\n%s", strings.Join(b.errors, "\n"))
	}
	// And when the firmware is gone, the page says so.
	server.CloseClientConnections()
	server.Close()
	b.until(`document.getElementById("state").textContent.startsWith("No answer")`)
}
