//go:build ignore

package sha256

func block(dig *Digest, p []byte) { blocks(&dig.h, &_K, p) }
