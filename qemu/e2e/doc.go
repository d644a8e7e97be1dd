// Package e2e holds the end-to-end tests: the default firmware, built as it is
// shipped and booted in QEMU, against openssl, curl, GnuTLS and Go on the host.
//
// The image has the certificates of a test authority in place of development
// ones, by an overlay; nothing else differs. What the default firmware does
// not do by itself, such as dialing out, is done by the program in guest/.
//
// The scenarios:
//
//	 1  the console tells the address from DHCP, or the static one   boot_test.go
//	 2  without a seed it stops, without a clock it has the build's  boot_test.go
//	 3  two boots have different random numbers                      boot_test.go
//	 4  an idle machine sleeps                                       boot_test.go
//	 5  ten idle minutes later it still answers                      idle_test.go
//	 6  openssl verifies the chain and gets 1 MiB back               openssl_test.go
//	 7  curl, too                                                    curl_test.go
//	 8  GnuTLS, too                                                  gnutls_test.go
//	 9  TLS 1.2 and 1.3, nothing older                               tls_test.go
//	10  ALPN: best common protocol, or refusal                       tls_test.go
//	11  SNI: the certificate for the name                            tls_test.go
//	12  mutual TLS: the right client, and three wrong ones           mutual_test.go
//	13  TLS out, with and without client certificate, four refusals  dial_test.go
//	14  200 connections in a row, 32 at once                         load_test.go
//	15  garbage and half-open connections disturb nobody             load_test.go
//	16  a program that hangs is reset by the watchdog                watchdog_test.go
//
// go test -short leaves them out.
package e2e
