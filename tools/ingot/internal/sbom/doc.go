// Package sbom writes what an image is made of as a CycloneDX bill of materials
// (ECMA-424): the modules in it with their versions and checksums, the Go toolchain,
// the flags, what was cut of the sources, and the certificates that are compiled in. Private keys are not listed.
//
// It has no serial number and no time, so the same image has the same bill.
package sbom
