// Package sha512 is the block function of SHA-512 (FIPS 180-4, section 6.4.2), and of
// SHA-384, in ARM assembly: see package armcrypto.
package sha512
