//go:build ignore

package sha512

func block(dig *Digest, p []byte) { blocks(&dig.h, &_K, p) }
