package kernel

// Steps set registers up when the kernel starts, in their order: what a boot loader
// does before it starts a system, and a boot ROM doesn't. They come first, with the MMU
// on and before the console and the timer are touched. A loader may have done the same
// before; steps must not mind.
type Steps []Step

// A Step is about one 32-bit register: its physical address, the bits that are meant (the
// mask), and their value. What it does is in the two low bits of the address, which a
// register's has clear: a board's steps are part of each of its images, and room there is
// dear.
type Step [3]uint32

const (
	stepAddr = iota
	stepMask
	stepValue
)

// What steps do, to be added to an address. Those with none of them give the masked bits
// the value; with AllBits the register is only written, not read.
const (
	StepWait    = 1 // until the masked bits have the value; not forever
	StepUnless  = 2 // end this table if the masked bits have the value
	StepCounter = 3 // the generic timer runs at so many Hz; there is no register and no mask
	stepKind    = 3

	AllBits = 0xffffffff
)

// stepPolls is how often StepWait looks: a few milliseconds' worth. Something that never
// becomes ready shows later, by what doesn't work without it, and by then there may be a
// console to say so on.
const stepPolls = 20000

// setUp goes through the steps of a board, and tells whether it came to their end.
func (m *machine) setUp(steps Steps) bool {
	for i := 0; i < len(steps); i++ {
		s := &steps[i]
		addr := s[stepAddr] &^ stepKind
		switch s[stepAddr] & stepKind {
		case StepWait:
			for n := 0; n < stepPolls && m.readRegister(addr)&s[stepMask] != s[stepValue]; n++ {
			}
		case StepUnless:
			if m.readRegister(addr)&s[stepMask] == s[stepValue] {
				return false
			}
		case StepCounter:
			m.setFrequency(s[stepValue])
		default:
			v := s[stepValue]
			if s[stepMask] != AllBits {
				v |= m.readRegister(addr) &^ s[stepMask]
			}
			m.writeRegister(addr, v)
		}
	}
	return true
}
