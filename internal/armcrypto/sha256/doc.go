// Package sha256 is the compression function of SHA-256 (FIPS 180-4, section 6.2.2) in
// ARM assembly: see package armcrypto.
package sha256
