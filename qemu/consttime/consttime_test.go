//go:build unix

package consttime

import (
	"bufio"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/armcrypto"
	"ingot.dev/qemu"
	"ingot.dev/qemu/steps"
)

// ours are the functions that are looked at; the guest's leaks are, to see that
// they are found.
const ours, leaks = "ingot.dev/internal/armcrypto/", "main.leak"

// nistec is the package of the standard library with P-256's points, and points are those of
// its functions that multiples of the generator are made by, ours among them.
const nistec = "crypto/internal/fips140/nistec"

var points = []string{
	"(*P256Point).ScalarBaseMult", "(*P256Point).AddAffine", "(*P256Point).Double",
	"(*p256AffineTable).Select", "(*p256AffinePoint).Negate", "(*p256OrdElement).SetBytes", "(*p256OrdElement).Rsh", "boothW6",
}

// patience is for one secret, and before that for building the guest: much more than they
// take.
const patience, patienceToBuild = 2 * time.Minute, 10 * time.Minute

var operationLine = regexp.MustCompile(`(?m)^operation: (.*?)\r?$`)

// TestTraces has the guest compute with different secrets, INGOT_SECRETS of them if that
// is set, and wants the same traces.
func TestTraces(t *testing.T) {
	computations := 8
	if testing.Short() {
		computations = 4
	}
	if text := os.Getenv("INGOT_SECRETS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 2 {
			t.Fatalf("INGOT_SECRETS=%s is no number of secrets, two at least", text)
		}
		computations = n
	}
	ctx, cancel := context.WithTimeout(t.Context(), patienceToBuild+time.Duration(computations)*patience)
	defer cancel()
	overlay := map[string]string{"$GOROOT/src/" + nistec + "/ingot_traced.go": "testdata/nistec.go"}
	code, err := newCode(steps.Build(t, ctx, "ingot.dev/qemu/consttime/guest", overlay))
	if err != nil {
		t.Fatal(err)
	}
	var operations []*operation
	config := qemu.Config{
		Args: []string{strconv.Itoa(computations)},
		Env:  []string{"GOGC=off"}, // it moves stacks
	}
	m, readErr := code.guest.Run(t, ctx, config, "exec,cpu", code.functions, func(log io.Reader) (err error) {
		operations, err = code.read(log, computations)
		return err
	})
	if status, err := m.Wait(); status != 0 || err != nil {
		t.Fatalf("the guest ended with %d, %v:\n%s", status, err, m.ConsoleTail())
	}
	if readErr != nil {
		t.Fatal(readErr)
	}
	names := operationLine.FindAllStringSubmatch(m.Console(), -1)
	if len(names) == 0 || len(names) != len(operations) {
		t.Fatalf("%d operations, and traces of %d", len(names), len(operations))
	}
	for i, op := range operations {
		name := names[i][1]
		if strings.HasPrefix(name, "leak") {
			if op.differs == "" {
				t.Errorf("%s: not found", name)
			}
			t.Logf("%s: found: %s", name, op.differs)
			continue
		}
		t.Logf("%s: %d instructions, %d times", name, op.instructions, op.computations)
		if op.differs != "" {
			t.Errorf("%s: %s", name, op.differs)
		}
		if op.computations != computations || op.instructions < 10 {
			t.Errorf("%s: %d traces of %d instructions, want %d", name, op.computations, op.instructions, computations)
		}
	}
	for i, s := range code.functions {
		if !code.seen[i] && s.Name != "main.mark" {
			t.Errorf("%s was not executed", s.Name)
		}
	}
	// That nothing was forgotten when the guest was made.
	for i := range armcrypto.Packages {
		folder := ours + armcrypto.Packages[i].Folder + "."
		if !slices.ContainsFunc(code.functions, func(s elf.Symbol) bool { return strings.HasPrefix(s.Name, folder) }) {
			t.Errorf("%s: the guest has none of its functions", folder)
		}
	}
}

// code is the guest's.
type code struct {
	guest     *steps.Guest
	functions []elf.Symbol // those that are looked at, and main.mark, by address
	seen      []bool       // which were executed
	mark      uint32
}

func newCode(guest *steps.Guest) (*code, error) {
	c := &code{guest: guest}
	c.functions = guest.Functions(func(name string) bool {
		return name == "main.mark" || strings.HasPrefix(name, ours) || strings.HasPrefix(name, leaks) ||
			slices.Contains(points, strings.TrimPrefix(name, nistec+"."))
	})
	c.seen = make([]bool, len(c.functions))
	i := slices.IndexFunc(c.functions, func(s elf.Symbol) bool { return s.Name == "main.mark" })
	if i < 0 {
		return nil, errors.New("the guest has no main.mark")
	}
	c.mark = uint32(c.functions[i].Value)
	return c, nil
}

// function is the one at an address: its index.
func (c *code) function(pc uint32) (int, bool) {
	i, found := slices.BinarySearchFunc(c.functions, pc, func(s elf.Symbol, pc uint32) int { return int(uint32(s.Value)) - int(pc) })
	if !found {
		i--
	}
	return i, i >= 0 && pc-uint32(c.functions[i].Value) < uint32(c.functions[i].Size)
}

// An operation is what the traces of its computations come to.
type operation struct {
	computations int
	instructions int // of the first computation
	differs      string
	first        []uint32 // its trace
}

// read reads QEMU's log.
func (c *code) read(log io.Reader, computations int) ([]*operation, error) {
	var list []*operation
	var op *operation
	marks := 0
	var pending []uint32 // what the last instruction adds to the trace
	next := 0            // what the trace has so far
	commit := func() {
		if op == nil || len(pending) == 0 {
			return
		}
		if op.computations == 1 {
			op.instructions++
			op.first = append(op.first, pending...)
		} else if op.differs == "" && (next+len(pending) > len(op.first) || !slices.Equal(op.first[next:next+len(pending)], pending)) {
			i, _ := c.function(pending[0])
			f := c.functions[i]
			op.differs = fmt.Sprintf("another trace from %s+%#x on: %x", f.Name, pending[0]-uint32(f.Value), pending)
		}
		next += len(pending)
	}
	lines := bufio.NewReaderSize(log, 1<<16)
	var regs [16]uint32
	for {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			break
		} else if err != nil && err != io.EOF {
			return nil, err
		}
		switch {
		case line[0] == 'R': // R00=01234567 and three more
			for ; len(line) >= 12; line = line[min(13, len(line)):] {
				n := int(line[1]-'0')*10 + int(line[2]-'0')
				if n > 15 || line[3] != '=' {
					return nil, fmt.Errorf("registers: %q", line)
				}
				v, err := hex(line[4:12])
				if err != nil {
					return nil, err
				}
				regs[n] = v
			}
		case strings.HasPrefix(string(line), "PSR="):
			psr, err := hex(line[4:12])
			if err != nil {
				return nil, err
			}
			commit()
			pending = pending[:0]
			pc := regs[15]
			i, ok := c.function(pc)
			if !ok {
				return nil, fmt.Errorf("an instruction at %#x, which is in none of the functions", pc)
			}
			c.seen[i] = true
			if c.functions[i].Name == "main.mark" {
				if pc != c.mark {
					continue
				}
				if op != nil && op.computations > 1 && op.differs == "" && next != len(op.first) {
					op.differs = fmt.Sprintf("a trace of %d words, the first had %d", next, len(op.first))
				}
				next = 0
				switch marks++; marks % (computations + 1) {
				case 1:
					op = &operation{computations: 1}
					list = append(list, op)
				case 0:
					op.first = nil
					op = nil
				default:
					op.computations++
				}
				continue
			}
			instruction := c.guest.Instruction(pc)
			if isDivision(instruction) {
				return nil, fmt.Errorf("%s+%#x is a division", c.functions[i].Name, pc-uint32(c.functions[i].Value))
			}
			pending = append(pending, pc)
			if !passes(instruction>>28, psr) {
				continue
			}
			for _, r := range addressRegisters(instruction) {
				pending = append(pending, regs[r])
			}
		case strings.HasPrefix(string(line), "Stopped"): // before the instruction that was announced
			pending = pending[:0]
		}
	}
	commit()
	if op != nil {
		return nil, errors.New("the guest did not end")
	}
	return list, nil
}

// hex reads eight digits.
func hex(b []byte) (v uint32, err error) {
	for _, d := range b {
		switch {
		case '0' <= d && d <= '9':
			v = v<<4 | uint32(d-'0')
		case 'a' <= d && d <= 'f':
			v = v<<4 | uint32(d-'a'+10)
		default:
			return 0, fmt.Errorf("no hexadecimal number: %q", b)
		}
	}
	return v, nil
}

// passes reports whether an instruction with a condition is executed, ARM DDI 0406C, A8.3.
func passes(condition, psr uint32) bool {
	n, z, c, v := psr>>31&1 == 1, psr>>30&1 == 1, psr>>29&1 == 1, psr>>28&1 == 1
	var is bool
	switch condition >> 1 {
	case 0:
		is = z
	case 1:
		is = c
	case 2:
		is = n
	case 3:
		is = v
	case 4:
		is = c && !z
	case 5:
		is = n == v
	case 6:
		is = n == v && !z
	default:
		return true
	}
	return is == (condition&1 == 0)
}

// isDivision tells SDIV and UDIV.
func isDivision(i uint32) bool {
	return i>>28 != 15 && (i&0x0ff000f0 == 0x07100010 || i&0x0ff000f0 == 0x07300010)
}

// addressRegisters are those by which an instruction loads or stores, ARM DDI 0406C,
// chapters A5 and A7.
func addressRegisters(i uint32) []uint32 {
	rn, rm := i>>16&15, i&15
	switch {
	case i>>24 == 0xf4: // NEON; there 13 and 15 are no registers
		if rm == 13 || rm == 15 {
			return []uint32{rn}
		}
		return []uint32{rn, rm}
	case i>>28 == 15:
		return nil
	case i>>26&3 == 1 && i>>25&1 == 0: // LDR, STR, LDRB, STRB
		return []uint32{rn}
	case i>>26&3 == 1 && i>>4&1 == 0:
		return []uint32{rn, rm}
	case i>>25&7 == 0 && i&0x90 == 0x90 && i>>5&3 != 0: // halfwords, two words
		if i>>22&1 == 1 {
			return []uint32{rn}
		}
		return []uint32{rn, rm}
	case i>>23&31 == 3 && i&0xf0 == 0x90: // LDREX, STREX
		return []uint32{rn}
	case i>>25&7 == 4, i>>25&7 == 6: // LDM, STM; VLDR, VLDM, VSTR, VSTM
		return []uint32{rn}
	}
	return nil
}

func TestInstructions(t *testing.T) {
	for _, c := range []struct {
		code      uint32
		text      string
		registers []uint32
		division  bool
	}{
		{0xe5932004, "ldr r2, [r3, #4]", []uint32{3}, false},
		{0xe7c3200c, "strb r2, [r3, ip]", []uint32{3, 12}, false},
		{0xe7932104, "ldr r2, [r3, r4, lsl #2]", []uint32{3, 4}, false},
		{0xe1d320b4, "ldrh r2, [r3, #4]", []uint32{3}, false},
		{0xe19320b4, "ldrh r2, [r3, r4]", []uint32{3, 4}, false},
		{0xe1c320d8, "ldrd r2, [r3, #8]", []uint32{3}, false},
		{0xe8b000c0, "ldm r0!, {r6, r7}", []uint32{0}, false},
		{0xe1932f9f, "ldrex r2, [r3]", []uint32{3}, false},
		{0xed932b02, "vldr d2, [r3, #8]", []uint32{3}, false},
		{0xf422020d, "vld1.8 {d0-d3}, [r2]!", []uint32{2}, false},
		{0xf4220205, "vld1.8 {d0-d3}, [r2], r5", []uint32{2, 5}, false},
		{0xe04e8296, "umaal r8, lr, r6, r2", nil, false},
		{0xe0050291, "mul r5, r1, r2", nil, false},
		{0xe0835004, "add r5, r3, r4", nil, false},
		{0xe2835004, "add r5, r3, #4", nil, false},
		{0xe6ef2071, "uxtb r2, r1", nil, false},
		{0xe6bf2f31, "rev r2, r1", nil, false},
		{0xf2300800, "vadd.i64 d0, d0, d0", nil, false},
		{0xe712f310, "sdiv r2, r0, r3", nil, true},
		{0xe732f310, "udiv r2, r0, r3", nil, true},
	} {
		if got := addressRegisters(c.code); !slices.Equal(got, c.registers) {
			t.Errorf("%s: %v, want %v", c.text, got, c.registers)
		}
		if got := isDivision(c.code); got != c.division {
			t.Errorf("%s: a division: %v", c.text, got)
		}
	}
}

func TestPasses(t *testing.T) {
	const n, z, c, v = 1 << 31, 1 << 30, 1 << 29, 1 << 28
	for _, tt := range []struct {
		condition, psr uint32
		want           bool
	}{
		{0, z, true}, {0, c, false}, {1, 0, true}, {2, c, true}, {3, c, false}, {4, n, true}, {6, v, true},
		{8, c, true}, {8, c | z, false}, {9, c | z, true}, {10, n | v, true}, {10, n, false}, {11, n, true},
		{12, 0, true}, {12, z, false}, {13, z, true}, {14, 0, true}, {15, 0, true},
	} {
		if got := passes(tt.condition, tt.psr); got != tt.want {
			t.Errorf("condition %d with %#x: %v", tt.condition, tt.psr, got)
		}
	}
}
