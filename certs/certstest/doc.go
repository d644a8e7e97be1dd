// Package certstest makes certificates in memory for tests: authorities,
// intermediates, and identities that are right, expired, not yet valid, issued
// by somebody else, or wrong in any way a test can think of.
//
//	ca := certstest.NewCA(t, certstest.Template{})
//	server := ca.Issue(certstest.Template{Names: []string{"localhost"}, IPs: []string{"127.0.0.1"}})
//	client := ca.Issue(certstest.Template{CommonName: "sensor 7", Client: true})
//	stale := ca.Issue(certstest.Template{Names: []string{"localhost"}}.Expired())
//	stranger := certstest.NewCA(t, certstest.Template{}).Issue(...)
//
// A [Tree] puts them in the layout that certs.Load reads, in memory or in a
// directory that a build embeds. [Identity.WritePEM] and [CA.WritePEM] write
// them for openssl and curl.
//
// Everything ends the test with a clear message rather than return an error.
package certstest
