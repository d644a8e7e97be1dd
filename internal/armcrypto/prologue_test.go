package armcrypto

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The assembler leaves out the look for preemption, with nothing said, where a function
// has no frame and calls none: one that is not NOSPLIT has one or the other.
func TestPrologues(t *testing.T) {
	head := regexp.MustCompile(`(?m)^TEXT ·(\w+)(<>)?\(SB\), (\w+), \$(\d+)-\d+$`)
	looking := 0
	for i := range Packages {
		p := &Packages[i]
		for name, text := range p.Files() {
			if !strings.HasSuffix(name, ".s") {
				continue
			}
			at := head.FindAllStringSubmatchIndex(string(text), -1)
			if all := strings.Count(string(text), "\nTEXT"); len(at) != all {
				t.Errorf("%s/%s: %d functions, and %d were understood", p.Folder, name, all, len(at))
			}
			for j, m := range at {
				end := len(text)
				if j+1 < len(at) {
					end = at[j+1][0]
				}
				function, flags, body := string(text[m[2]:m[3]]), string(text[m[6]:m[7]]), string(text[m[1]:end])
				frame, err := strconv.Atoi(string(text[m[8]:m[9]]))
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case flags == "NOSPLIT":
				case flags != "0":
					t.Errorf("%s/%s: %s has flags %s", p.Folder, name, function, flags)
				case frame == 0 && !strings.Contains(body, "\tBL\t"):
					t.Errorf("%s/%s: %s doesn't look for preemption: it has no frame", p.Folder, name, function)
				default:
					looking++
				}
			}
		}
	}
	if looking < 3 {
		t.Errorf("%d functions look for preemption", looking)
	}
}
