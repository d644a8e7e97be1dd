package kernel

// A textBuffer is where the kernel puts together what it says: package fmt allocates.
// What does not fit is left out.
type textBuffer struct {
	n    uint32
	text [512]byte
}

func (b *textBuffer) byte(c byte) {
	if b.n < uint32(len(b.text)) {
		b.text[b.n] = c
		b.n++
	}
}

func (b *textBuffer) string(s string) {
	for i := 0; i < len(s); i++ {
		b.byte(s[i])
	}
}

func (b *textBuffer) hexLine(v uint32) {
	b.string("0x")
	b.hex(v)
	b.byte('\n')
}

func (b *textBuffer) hex(v uint32) {
	for shift := 28; shift >= 0; shift -= 4 {
		b.byte("0123456789abcdef"[v>>uint(shift)&15])
	}
}

func (b *textBuffer) field(name string, v uint32, end string) {
	b.wide(name, uint64(v), end)
}

func (b *textBuffer) wide(name string, v uint64, end string) {
	b.string(name)
	b.decimal(v)
	b.string(end)
}

func (b *textBuffer) decimal(v uint64) {
	var digits [20]byte
	i := len(digits) - 1
	for ; v >= 10 && i > 0; i-- {
		digits[i] = byte('0' + v%10)
		v /= 10
	}
	digits[i] = byte('0' + v)
	for ; i < len(digits); i++ {
		b.byte(digits[i])
	}
}

// print writes to the console, whoever has it open.
func (k *Kernel) print(b *textBuffer) {
	for i := uint32(0); i < b.n; i++ {
		if b.text[i] == '\n' {
			k.putByte('\r')
		}
		k.putByte(b.text[i])
	}
}
