package kernel

import "unsafe"

// Noise: where random numbers come from when no loader brings a seed. A source is read
// once, before the program starts, since packages of a program may ask for random numbers
// before its main does.

// A NoiseSource is a board's hardware that makes noise.
type NoiseSource struct {
	Kind   uint32 // NoiseCAAM or NoiseRNGB
	Base   uint32 // physical address of its registers
	Absent *Steps // StepUnless, for machines that the image runs on and that lack it
}

// Kinds of noise sources.
const (
	NoiseCAAM = 1 // i.MX6UL: the entropy registers of CAAM's TRNG
	NoiseRNGB = 2 // i.MX6ULL, i.MX6ULZ
)

// noiseWords is how much is taken: twice the 1,024 samples of a start-up test, of which
// each bit is one. With half a bit of entropy in each that is four times what the seed
// needs.
const noiseWords = 2048 / 32

// noisePolls bounds the wait for a word: a second or so. The TRNG takes a tenth of that
// for 16 words.
const noisePolls = 1 << 22

// Registers of CAAM: IMX6ULSRM, chapter "Cryptographic Acceleration and Assurance Module
// (CAAM)", RNG registers.
const (
	caamRTMCTL   = 0x600   // control
	rtmctlPRGM   = 1 << 16 // program mode: not running
	rtmctlERR    = 1 << 12 // a statistical test of its own has failed
	rtmctlVALID  = 1 << 10 // there is entropy; reading the last word starts the next
	rtmctlReset  = 1 << 6  // parameters as after a reset
	rtmctlAccess = 1 << 5  // the entropy can be read
	caamRTENT    = 0x640   // 16 words
)

// Registers of RNGB: IMX6ULLRM, chapter "Random Number Generator (RNGB)".
const (
	rngbCMD      = 0x04
	cmdReset     = 1 << 6
	cmdErrors    = 1 << 5 // clear
	cmdInterrupt = 1 << 4 // clear
	cmdSeed      = 1 << 1
	cmdSelfTest  = 1 << 0
	rngbCR       = 0x08
	crReseed     = 1 << 4 // automatically
	rngbSR       = 0x0C
	srTestFailed = 7 << 21
	srError      = 1 << 16
	srLevel      = 15 << 8 // words in the FIFO
	srSeeded     = 1 << 5
	srTested     = 1 << 4
	rngbOUT      = 0x14
)

// gatherNoise seeds the generator from a source, if it is there and sound.
func (k *Kernel) gatherNoise(s *NoiseSource) {
	if !k.setUp(*s.Absent) {
		return
	}
	var h health
	var words [noiseWords]uint32
	why := "does not start"
	if k.startNoise(s) {
		why = ""
		for i := uint32(0); i < noiseWords && why == ""; i++ {
			w, ok := k.noiseWord(s, i)
			switch {
			case !ok:
				why = "gives nothing"
			case !h.test(w):
				why = "has failed a health test"
			}
			words[i] = w
		}
	}
	if why != "" {
		var b textBuffer
		b.string("ingot: the processor's noise source ")
		b.string(why)
		b.string(": it is not used\n")
		k.print(&b)
		return
	}
	k.random.mix(unsafe.Pointer(&words), noiseWords*4, 256)
	k.random.sources |= 1 << s.Kind
	for i := 0; i < len(words); i++ {
		words[i] = 0
	}
}

// startNoise gets a source going.
func (m *machine) startNoise(s *NoiseSource) bool {
	switch s.Kind {
	case NoiseCAAM:
		control := s.Base + caamRTMCTL
		m.writeRegister(control, m.readRegister(control)|rtmctlPRGM)
		m.writeRegister(control, m.readRegister(control)|rtmctlPRGM|rtmctlReset)
		m.writeRegister(control, m.readRegister(control)|rtmctlPRGM|rtmctlAccess)
		m.writeRegister(control, m.readRegister(control)&^rtmctlPRGM)
		return true
	case NoiseRNGB:
		m.writeRegister(s.Base+rngbCMD, cmdErrors)
		m.writeRegister(s.Base+rngbCMD, cmdReset)
		m.writeRegister(s.Base+rngbCMD, cmdSelfTest)
		if !m.noiseReady(s.Base+rngbSR, srTested, srError|srTestFailed) {
			return false
		}
		m.writeRegister(s.Base+rngbCR, m.readRegister(s.Base+rngbCR)|crReseed)
		m.writeRegister(s.Base+rngbCMD, cmdSeed)
		if !m.noiseReady(s.Base+rngbSR, srSeeded, srError) {
			return false
		}
		m.writeRegister(s.Base+rngbCMD, cmdInterrupt)
		return true
	}
	return false
}

// noiseWord returns word i of what a source gives.
func (m *machine) noiseWord(s *NoiseSource, i uint32) (uint32, bool) {
	if s.Kind == NoiseCAAM {
		if i&15 == 0 && !m.noiseReady(s.Base+caamRTMCTL, rtmctlVALID, rtmctlERR) {
			return 0, false
		}
		return m.readRegister(s.Base + caamRTENT + i&15*4), true
	}
	if !m.noiseReady(s.Base+rngbSR, srLevel, srError) {
		return 0, false
	}
	return m.readRegister(s.Base + rngbOUT), true
}

// noiseReady waits until a register has any of the bits good; any of bad ends it.
func (m *machine) noiseReady(reg, good, bad uint32) bool {
	for n := 0; n < noisePolls; n++ {
		v := m.readRegister(reg)
		if v&bad != 0 {
			return false
		}
		if v&good != 0 {
			return true
		}
	}
	return false
}

// health is the tests of SP 800-90B, 4.4, on samples of one bit with at least half a bit
// of entropy: a sound source fails one of them once in 2^20 samples.
type health struct {
	last, run          uint32 // repetition count
	first, same, count uint32 // adaptive proportion
}

const (
	repetitionCutoff = 41   // 1 + 20 / 0.5
	proportionCutoff = 793  // 1 + the critical value of so many, each with probability 2^-0.5
	proportionWindow = 1024 // samples
)

// test looks at 32 samples.
func (h *health) test(w uint32) bool {
	for i := uint32(0); i < 32; i++ {
		bit := w >> i & 1
		if h.run == 0 || bit != h.last {
			h.last, h.run = bit, 0
		}
		if h.run++; h.run >= repetitionCutoff {
			return false
		}
		if h.count == 0 {
			h.first, h.same = bit, 0
		}
		if bit == h.first {
			if h.same++; h.same >= proportionCutoff {
				return false
			}
		}
		h.count = (h.count + 1) & (proportionWindow - 1)
	}
	return true
}
