package armcrypto

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ingot.dev/internal/testenv"
)

// Instructions that Go's assembler doesn't know are written as numbers, by macros beside
// which their names are. A disassembler that is not of the Go project's has to read those
// names out of the numbers.
func TestEncodings(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	testenv.NeedProcess(t)
	objdump, err := exec.LookPath("llvm-objdump")
	if err != nil {
		t.Skip("needs llvm-objdump, of package llvm")
	}
	file := filepath.Join(t.TempDir(), "guest")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags=encodings", "-o", file, "ingot.dev/qemu/consttime/guest")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm", "GOARM=7", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), objdump, "-d", "--triple=armv7", "--mattr=+neon", "--no-show-raw-insn", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	// Instructions by function.
	head, line := regexp.MustCompile(`^[0-9a-f]+ <ingot\.dev/internal/armcrypto/(.*)>:$`), regexp.MustCompile(`^ *[0-9a-f]+:\s+(\S+)\s*(.*)$`)
	code, function := map[string][]string{}, ""
	for text := range strings.Lines(string(out)) {
		text = strings.TrimRight(text, "\n")
		if m := head.FindStringSubmatch(text); m != nil {
			function = strings.TrimSuffix(m[1], ".abi0")
		} else if strings.HasSuffix(text, ">:") {
			function = ""
		} else if m := line.FindStringSubmatch(text); m != nil && function != "" {
			code[function] = append(code[function], m[1]+" "+strings.TrimSpace(m[2]))
		}
	}
	count := func(prefix, instruction string) (n int) {
		for f, list := range code {
			if strings.HasPrefix(f, prefix) {
				for _, i := range list {
					if strings.HasPrefix(i, instruction) {
						n++
					}
				}
			}
		}
		return n
	}

	named, found := regexp.MustCompile(`(?m)^#define .*WORD.*// (v[a-z]+[0-9]*(?:\.[a-z]?[0-9]+)?)`), 0
	for i := range Packages {
		p := &Packages[i]
		for name, text := range p.Files() {
			for _, m := range named.FindAllSubmatch(text, -1) {
				found++
				instruction := string(m[1])
				if strings.HasPrefix(instruction, "vext.") {
					instruction = "vext." // by whole elements it goes by their size
				}
				if count(p.Folder+".", instruction) == 0 {
					t.Errorf("%s/%s: there is no %s", p.Folder, name, m[1])
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("%d instructions are named beside their encodings", found)
	}

	// UMAAL is in rows of products.
	for f, want := range map[string]int{
		"fiat.p256MulARM": 8 * 8,
		"fiat.p256OrdMul": 8*8 + 8*(8+1),
		"field.mul":       8*8 + 8,
		"field.mulAdd":    8,
	} {
		if n := count(f, "umaal"); f != "field.mul" && n != want || f == "field.mul" && n != want+8 { // with mulAdd
			t.Errorf("%s has %d UMAAL, want %d", f, n, want)
		}
	}
	// The first of ROW(0, 6, 2, 3, 4, 5, 8, ..., 14).
	const first = "umaal r8, lr, r6, r2"
	for _, i := range code["fiat.p256MulARM"] {
		if strings.HasPrefix(i, "umaal") {
			if i = strings.Join(strings.Fields(i), " "); i != first {
				t.Errorf("the first product is %s, want %s", i, first)
			}
			break
		}
	}
}
