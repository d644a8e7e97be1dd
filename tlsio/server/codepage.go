package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// CodePage is how text is put into bytes, by the numbers of Windows; 0 is UTF-8.
type CodePage int

// The code pages that are there.
const (
	UTF8    CodePage = 65001
	UTF16LE CodePage = 1200
	UTF16BE CodePage = 1201
	Latin1  CodePage = 28591 // ISO 8859-1
	ASCII   CodePage = 20127
)

const codePageFix = "use 65001 (UTF-8), 28591 (ISO 8859-1), 20127 (ASCII), 1200 or 1201 (UTF-16, little or big endian)"

// valid reports whether p is one of them, or 0.
func (p CodePage) valid() bool {
	switch p {
	case 0, UTF8, UTF16LE, UTF16BE, Latin1, ASCII:
		return true
	}
	return false
}

// ErrCodePage is the cause when text has characters that its code page doesn't.
var ErrCodePage = errors.New("server: not in the code page")

// Encode returns text in the code page. A character that it doesn't have is an error
// with ErrCodePage in it, never a question mark.
func (p CodePage) Encode(text string) ([]byte, error) {
	limit := rune(0xff)
	switch p {
	case 0, UTF8:
		return []byte(text), nil
	case UTF16LE, UTF16BE:
		var b []byte
		for _, u := range utf16.Encode([]rune(text)) {
			if p == UTF16LE {
				b = binary.LittleEndian.AppendUint16(b, u)
			} else {
				b = binary.BigEndian.AppendUint16(b, u)
			}
		}
		return b, nil
	case ASCII:
		limit = 0x7f
	case Latin1:
	default:
		return nil, fmt.Errorf("%w %d: %s", ErrCodePage, int(p), codePageFix)
	}
	b := make([]byte, 0, len(text))
	for i, r := range text {
		if r > limit || r == utf8.RuneError {
			return nil, fmt.Errorf("%w %d: the character %q at byte %d", ErrCodePage, int(p), r, i)
		}
		b = append(b, byte(r))
	}
	return b, nil
}

// Decode is Encode's counterpart. Bytes that no text has are an error with
// ErrCodePage in it.
func (p CodePage) Decode(b []byte) (string, error) {
	bad := func(i int) (string, error) {
		return "", fmt.Errorf("%w %d: the byte at %d", ErrCodePage, int(p), i)
	}
	switch p {
	case 0, UTF8:
		if !utf8.Valid(b) {
			return "", fmt.Errorf("%w %d: not UTF-8", ErrCodePage, int(UTF8))
		}
		return string(b), nil
	case UTF16LE, UTF16BE:
		if len(b)%2 != 0 {
			return bad(len(b) - 1)
		}
		var runes []rune
		for i := 0; i < len(b); i += 2 {
			r := rune(p.unit(b[i:]))
			if utf16.IsSurrogate(r) {
				if i+4 > len(b) {
					return bad(i)
				}
				i += 2
				if r = utf16.DecodeRune(r, rune(p.unit(b[i:]))); r == utf8.RuneError {
					return bad(i)
				}
			}
			runes = append(runes, r)
		}
		return string(runes), nil
	case Latin1, ASCII:
		runes := make([]rune, len(b))
		for i, c := range b {
			if p == ASCII && c > 0x7f {
				return bad(i)
			}
			runes[i] = rune(c)
		}
		return string(runes), nil
	}
	return "", fmt.Errorf("%w %d: %s", ErrCodePage, int(p), codePageFix)
}

func (p CodePage) unit(b []byte) uint16 {
	if p == UTF16LE {
		return binary.LittleEndian.Uint16(b)
	}
	return binary.BigEndian.Uint16(b)
}
