//go:build !arm

package kernel

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// A trng is CAAM's, as its reference manual describes it; values come from next.
type trng struct {
	t       *testing.T
	control uint32
	wait    int // looks until there is entropy
	next    func() uint32
	stuck   bool // there never is
	failed  bool // a test of its own has failed
	runs    int  // how often it was set going
}

func (m *trng) SetFrequency(uint32) {}

func (m *trng) Read(pa uint32) uint32 {
	switch off := pa - 0x02140000; {
	case off == caamRTMCTL:
		v := m.control
		if v&rtmctlPRGM == 0 && m.failed {
			return v | rtmctlERR
		}
		if v&rtmctlPRGM == 0 && !m.stuck {
			if m.wait--; m.wait < 0 {
				v |= rtmctlVALID
			}
		}
		return v
	case off >= caamRTENT && off < caamRTENT+64:
		if m.control&rtmctlAccess == 0 || m.control&rtmctlPRGM != 0 || m.wait >= 0 {
			m.t.Errorf("entropy word %d is read when there is none", (off-caamRTENT)/4)
		}
		if off == caamRTENT+60 {
			m.wait = 7
		}
		return m.next()
	}
	m.t.Errorf("read of %#x", pa)
	return 0
}

func (m *trng) Write(pa, v uint32) {
	if pa != 0x02140000+caamRTMCTL {
		m.t.Errorf("write to %#x", pa)
	}
	if v&rtmctlReset != 0 && m.control&rtmctlPRGM == 0 {
		m.t.Error("parameters are reset while it runs")
	}
	if m.control&rtmctlPRGM != 0 && v&rtmctlPRGM == 0 {
		m.wait = 7
		m.runs++
	}
	m.control = v &^ (rtmctlReset | rtmctlVALID | rtmctlERR)
}

// An rngb is the i.MX6ULL's.
type rngb struct {
	t              *testing.T
	next           func() uint32
	status         uint32
	control        uint32
	level          int
	badTest, stuck bool
	failAfter      int // words until an error; never if 0
	words          int
}

func (m *rngb) SetFrequency(uint32) {}

func (m *rngb) Read(pa uint32) uint32 {
	switch pa - 0x02284000 {
	case rngbCR:
		return m.control
	case rngbSR:
		v := m.status
		if v&srSeeded != 0 && !m.stuck {
			m.level = min(m.level+1, 5)
			v |= uint32(m.level) << 8
		}
		if m.failAfter > 0 && m.words >= m.failAfter {
			v |= srError
		}
		return v
	case rngbOUT:
		if m.level == 0 {
			m.t.Error("a word is read from an empty FIFO")
		}
		m.level--
		m.words++
		return m.next()
	}
	m.t.Errorf("read of %#x", pa)
	return 0
}

func (m *rngb) Write(pa, v uint32) {
	switch pa - 0x02284000 {
	case rngbCR:
		m.control = v
	case rngbCMD:
		switch v {
		case cmdReset:
			m.status, m.control = 0, 0
		case cmdSelfTest:
			m.status |= srTested
			if m.badTest {
				m.status |= 1 << 22
			}
		case cmdSeed:
			if m.status&srTested == 0 || m.control&crReseed == 0 {
				m.t.Error("it is seeded before it was tested and set up")
			}
			m.status |= srSeeded
		case cmdErrors, cmdInterrupt:
		default:
			m.t.Errorf("command %#x", v)
		}
	default:
		m.t.Errorf("write to %#x", pa)
	}
}

func TestNoise(t *testing.T) {
	fair := func() func() uint32 {
		r := rand.New(rand.NewPCG(1, 2))
		return r.Uint32
	}
	biased := func() func() uint32 { // nine in ten bits are set
		r := rand.New(rand.NewPCG(3, 4))
		return func() (w uint32) {
			for i := range 32 {
				if r.IntN(10) > 0 {
					w |= 1 << i
				}
			}
			return w
		}
	}
	always := func(w uint32) func() uint32 { return func() uint32 { return w } }
	caam := func(m *trng) (NoiseSource, Registers) {
		m.t = t
		return NoiseSource{Kind: NoiseCAAM, Base: 0x02140000, Absent: &Steps{}}, m
	}
	ull := func(m *rngb) (NoiseSource, Registers) {
		m.t = t
		return NoiseSource{Kind: NoiseRNGB, Base: 0x02284000, Absent: &Steps{}}, m
	}
	type made func() (NoiseSource, Registers)
	for name, c := range map[string]struct {
		make made
		says string // nothing if it is used
	}{
		"CAAM":                      {func() (NoiseSource, Registers) { return caam(&trng{next: fair()}) }, ""},
		"CAAM, stuck at 0":          {func() (NoiseSource, Registers) { return caam(&trng{next: always(0)}) }, "has failed a health test"},
		"CAAM, biased":              {func() (NoiseSource, Registers) { return caam(&trng{next: biased()}) }, "has failed a health test"},
		"CAAM, silent":              {func() (NoiseSource, Registers) { return caam(&trng{next: fair(), stuck: true}) }, "gives nothing"},
		"CAAM with an error":        {func() (NoiseSource, Registers) { return caam(&trng{next: fair(), failed: true}) }, "gives nothing"},
		"RNGB":                      {func() (NoiseSource, Registers) { return ull(&rngb{next: fair()}) }, ""},
		"RNGB, stuck at 1":          {func() (NoiseSource, Registers) { return ull(&rngb{next: always(^uint32(0))}) }, "has failed a health test"},
		"RNGB, self-test failed":    {func() (NoiseSource, Registers) { return ull(&rngb{next: fair(), badTest: true}) }, "does not start"},
		"RNGB, silent":              {func() (NoiseSource, Registers) { return ull(&rngb{next: fair(), stuck: true}) }, "gives nothing"},
		"RNGB, an error in between": {func() (NoiseSource, Registers) { return ull(&rngb{next: fair(), failAfter: 20}) }, "gives nothing"},
		"a kind that there isn't":   {func() (NoiseSource, Registers) { return NoiseSource{Kind: 9, Absent: &Steps{}}, &trng{t: t} }, "does not start"},
	} {
		k := newUnseeded(t).Kernel
		k.machine.output = nil
		var s NoiseSource
		s, k.machine.registers = c.make()
		before := k.random.key
		k.gatherNoise(&s)
		said := string(k.machine.output)
		if k.random.seeded() != (c.says == "") || (k.random.key != before) != (c.says == "") || (said == "") != (c.says == "") || !strings.Contains(said, c.says) {
			t.Errorf("%s: seeded %v, it says %q", name, k.random.seeded(), said)
		}
		variable := k.random.entropyVariable()
		want := "INGOT_ENTROPY="
		if c.says == "" {
			want += name[:4]
		}
		if got := string(variable.text[:variable.n]); got != want {
			t.Errorf("%s: the program is told %q", name, got)
		}
	}
}

func TestEntropyVariable(t *testing.T) {
	r := random{sources: fromLoader | 1<<NoiseCAAM | 1<<NoiseRNGB}
	b := r.entropyVariable()
	if got, want := string(b.text[:b.n]), "INGOT_ENTROPY=boot parameters, CAAM, RNGB"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// another is the registers of a processor that is another one.
type another struct{ t *testing.T }

func (another) Read(pa uint32) uint32 { return pa }
func (m another) Write(pa, v uint32)  { m.t.Errorf("write to %#x", pa) }
func (another) SetFrequency(uint32)   {}

// TestNoNoise: a source that isn't there isn't touched, and there is nothing to say.
func TestNoNoise(t *testing.T) {
	k := newUnseeded(t).Kernel
	k.machine.output, k.machine.registers = nil, another{t}
	k.gatherNoise(&NoiseSource{Kind: NoiseRNGB, Base: 0x02284000, Absent: &Steps{{0x100 + StepUnless, AllBits, 0x100}}})
	if k.random.seeded() || len(k.machine.output) != 0 {
		t.Errorf("seeded: %v; it says %q", k.random.seeded(), k.machine.output)
	}
}

// criticalCount is what SP 800-90B, 4.4.2, asks for: 1 + the least x with
// P(X <= x) >= 1 - alpha, X binomial.
func criticalCount(window int, entropy, alpha float64) int {
	lg := func(n int) float64 { v, _ := math.Lgamma(float64(n) + 1); return v }
	p, tail, x := math.Pow(2, -entropy), 0.0, window
	for ; x > 0; x-- {
		tail += math.Exp(lg(window) - lg(x) - lg(window-x) + float64(x)*math.Log(p) + float64(window-x)*math.Log(1-p))
		if tail > alpha {
			break
		}
	}
	return 1 + x
}

func TestHealthCutoffs(t *testing.T) {
	const entropy, alpha = 0.5, 1.0 / (1 << 20)
	if want := 1 + math.Ceil(20/entropy); repetitionCutoff != want {
		t.Errorf("repetition count: %d, want %v", repetitionCutoff, want)
	}
	if want := criticalCount(proportionWindow, entropy, alpha); proportionCutoff != want {
		t.Errorf("adaptive proportion: %d, want %d", proportionCutoff, want)
	}
	// As others compute it, for one bit in each of 512 samples.
	if got := criticalCount(512, 1, 1.0/(1<<30)); got != 325 {
		t.Errorf("the computation is wrong: %d", got)
	}
}

func TestHealth(t *testing.T) {
	sound := rand.New(rand.NewPCG(5, 6))
	var h health
	for i := range 100_000 {
		if !h.test(sound.Uint32()) {
			t.Fatalf("a sound source fails after %d words", i)
		}
	}
	// 40 equal samples in a row are not too many, 41 are; also across words.
	h = health{}
	if !h.test(0xfffffffe) || !h.test(0x555555ff&^0x200) {
		t.Error("40 in a row fail")
	}
	h = health{}
	if !h.test(0xfffffffe) || h.test(0x000003ff) {
		t.Error("41 in a row pass")
	}
	// What is mostly one value is found out, if a window begins with it.
	h = health{}
	words := 0
	for h.test(0x7f7f7f7f) && words < 1000 {
		words++
	}
	if words >= 32 {
		t.Errorf("7 of 8 bits set pass for %d words", words)
	}
}
