//go:build encodings

#include "textflag.h"

// In place of the standard library's, for who only looks at the code of ours.
//
// func scalarBaseMult(p *[3]number, scalar []byte)
TEXT ·scalarBaseMult(SB), NOSPLIT, $0-16
	RET
