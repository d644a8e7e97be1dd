package armcrypto_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/armcrypto"
	"ingot.dev/internal/testenv"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// A suite is a package of the standard library whose tests run on the board, in an
// image with the assembly.
type suite struct {
	pkg string
	// skip are tests that need what an image hasn't: a file, another process, or
	// inlining in all packages, without which tests of allocations count more.
	skip string
	// only are the tests that run; empty: all others.
	only string
	// from is the folder in module golang.org/x/crypto that has the tests of a package
	// which the standard library vendors without them.
	from string
	// long says that they take minutes: only "make test-crypto" has them.
	long bool
	// ours are tests from testdata, beside the package's own.
	ours []string
	// wycheproof is the file of vectors for the test in testdata that is wycheproof_NAME.
	wycheproof, name string
}

// others are tests of curves that have no assembly.
const others = ".*/P(224|384|521)"

var suites = []suite{
	{pkg: "vendor/golang.org/x/crypto/chacha20", from: "chacha20", ours: []string{"chacha20_test.go"}},
	{pkg: "vendor/golang.org/x/crypto/internal/poly1305", from: "internal/poly1305", ours: []string{"poly1305_test.go"}},
	{pkg: "vendor/golang.org/x/crypto/chacha20poly1305", from: "chacha20poly1305", wycheproof: "chacha20_poly1305_test.json", name: "chacha20poly1305"},
	{pkg: "crypto/internal/fips140/sha256", ours: []string{"hash_test.go", "sha256_test.go"}},
	{pkg: "crypto/sha256", skip: "Alloc"},
	{pkg: "crypto/hmac", wycheproof: "hmac_sha256_test.json", name: "hmac"},
	{pkg: "crypto/hkdf", skip: "FIPSServiceIndicator", wycheproof: "hkdf_sha256_test.json", name: "hkdf"},
	{pkg: "crypto/internal/fips140/sha512", ours: []string{"hash_test.go", "sha512_test.go"}},
	{pkg: "crypto/sha512", skip: "Alloc"},
	{pkg: "crypto/ecdh", skip: "Linker|Imports|" + others, ours: []string{"x25519_test.go"}, wycheproof: "x25519_test.json", name: "x25519"},
	{pkg: "crypto/ecdh", only: "TestWycheproof", wycheproof: "ecdh_secp256r1_ecpoint_test.json", name: "p256"},
	{pkg: "crypto/internal/fips140/edwards25519/field", long: true},
	{pkg: "crypto/internal/fips140/nistec", skip: "^TestP256PrecomputedTable$", ours: []string{"nistec_test.go"}}, // of 43 tables, 15 are left
	{pkg: "crypto/internal/fips140test", only: "^(TestEquivalents|TestScalarMult)$/P256"},                         // nistec's own
	{pkg: "crypto/elliptic", skip: others},
	{pkg: "crypto/ecdsa", skip: "Vectors|" + others, wycheproof: "ecdsa_secp256r1_sha256_test.json", name: "ecdsa"},
	{pkg: "crypto/ecdsa", only: "TestWycheproof", wycheproof: "ecdsa_secp256r1_sha256_p1363_test.json", name: "p1363"},
	{pkg: "crypto/ed25519", skip: "Golden|Vectors|Alloc", wycheproof: "ed25519_test.json", name: "ed25519"},
}

// casesVar says how many random cases each comparison with the portable code tries;
// "make test-crypto" sets it.
const casesVar = "INGOT_CRYPTO_CASES"

// vectors is the folder with Wycheproof's files, empty if there is none.
func vectors() string {
	for _, dir := range []string{os.Getenv("WYCHEPROOF"), filepath.FromSlash("../../../shared/data/wycheproof")} {
		if _, err := os.Stat(filepath.Join(dir, "hmac_sha256_test.json")); dir != "" && err == nil {
			abs, err := filepath.Abs(dir)
			if err == nil {
				return abs
			}
		}
	}
	return ""
}

// goCommand runs the go command and returns what it prints.
func goCommand(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// needRelease skips with a Go release for which there is no assembly.
func needRelease(t *testing.T) {
	t.Helper()
	if release := goCommand(t, "env", "GOVERSION"); !slices.Contains(armcrypto.Releases, release) {
		t.Skipf("images made with %s have no assembly", release)
	}
}

// The standard library's own tests, comparisons with its portable code, and Wycheproof's
// vectors, in QEMU with the assembly.
func TestOnBoard(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	testenv.NeedProcess(t)
	needRelease(t)
	if _, err := qemu.Find(""); err != nil {
		t.Skip(err)
	}
	cases := os.Getenv(casesVar)
	long := cases != ""
	if !long {
		cases = "2000"
	}
	module := goCommand(t, "list", "-m", "-f", "{{.Dir}}", "golang.org/x/crypto")
	wycheproof := vectors()
	if wycheproof == "" {
		t.Log("without Wycheproof's vectors: WYCHEPROOF names no folder that has them")
	}
	for _, s := range suites {
		t.Run(s.pkg, func(t *testing.T) {
			if s.long && !long {
				t.Skip("make test-crypto")
			}
			if s.only == "TestWycheproof" && wycheproof == "" {
				t.Skip("without Wycheproof's vectors")
			}
			opt := image.Options{Package: []string{s.pkg}, Overlay: map[string]string{}, Symbols: true}
			temp := t.TempDir()
			put := func(name, from string) {
				opt.Overlay["$GOROOT/src/"+s.pkg+"/"+name] = from
			}
			ours := func(name string) {
				text, err := os.ReadFile(filepath.Join("testdata", name))
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(temp, name)
				named := strings.Replace(string(text), "package PACKAGE\n", "package "+s.pkg[strings.LastIndex(s.pkg, "/")+1:]+"\n", 1)
				if err := os.WriteFile(file, []byte(named), 0o666); err != nil {
					t.Fatal(err)
				}
				put("ingot_"+name, file)
			}
			want := regexp.MustCompile(`(?m)^--- PASS: Test`)
			if s.from != "" {
				files, err := filepath.Glob(filepath.Join(module, filepath.FromSlash(s.from), "*_test.go"))
				if len(files) == 0 || err != nil {
					t.Fatalf("no tests in %s of %s: %v", s.from, module, err)
				}
				for _, f := range files {
					put(filepath.Base(f), f)
				}
			}
			var names []string // of ours, which have to run
			if s.ours != nil {
				ours("cases_test.go")
				for _, name := range s.ours {
					ours(name)
				}
				names = append(names, "TestPortable")
			}
			if s.wycheproof != "" && wycheproof != "" {
				ours("wycheproof_test.go")
				ours("wycheproof_" + s.name + "_test.go")
				put("ingot_wycheproof.json", filepath.Join(wycheproof, s.wycheproof))
				names = append(names, "TestWycheproof")
			}
			console := runOnBoard(t, opt, temp, []string{casesVar + "=" + cases}, "-test.v", "-test.run="+s.only, "-test.skip="+s.skip, "-test.timeout=2h")
			if len(want.FindAllString(console, -1)) == 0 {
				t.Errorf("no tests ran:\n%s", console)
			}
			for _, name := range names {
				if !strings.Contains(console, "--- PASS: "+name+" ") {
					t.Errorf("%s did not run:\n%s", name, console)
				}
			}
			for _, line := range regexp.MustCompile(`(?m)^Test.* cases\r?$`).FindAllString(console, -1) {
				t.Log(line)
			}
			t.Logf("%d tests", len(want.FindAllString(console, -1)))
		})
	}
}

// runOnBoard builds a package's tests into an image with the assembly and runs them, and
// returns what they print.
func runOnBoard(t *testing.T, opt image.Options, temp string, env []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancel()
	m, err := qemu.Start(ctx, qemu.Config{Image: buildTests(t, opt, temp), Env: env, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Stop()
	if code, err := m.Wait(); code != 0 || err != nil {
		t.Fatalf("ended with %d, %v\n%s", code, err, m.Console())
	}
	return m.Console()
}

// buildTests builds a package's tests into an image with the assembly.
func buildTests(t *testing.T, opt image.Options, temp string) string {
	t.Helper()
	tests, err := image.PrepareTests(t.Context(), opt, temp)
	if err != nil {
		t.Fatal(err)
	}
	if len(tests.Assembly) != len(armcrypto.Packages) || tests.Portable != "" {
		t.Fatalf("assembly of %v only: %s", tests.Assembly, tests.Portable)
	}
	file := filepath.Join(temp, "image.elf")
	gocmd := tests.Go
	if gocmd == "" {
		gocmd = "go"
	}
	cmd := exec.CommandContext(t.Context(), gocmd, slices.Concat([]string{"test", "-c", "-vet=off", "-o", file}, tests.Args, tests.Packages)...)
	cmd.Env = tests.Env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", fmt.Errorf("go test -c: %w", err), out)
	}
	return file
}
