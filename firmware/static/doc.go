// Package static serves files over HTTPS that are compiled into the firmware.
//
//	//go:embed all:site
//	var site embed.FS
//
//	files, _ := fs.Sub(site, "site")
//	service, err := static.New(static.Options{
//		Options: endpoint.Options{Listen: ":443"},
//		Files:   files,
//	})
//
// Files are what there is in the file system when the system starts, by their names in
// it: the request's path, decoded once and cleaned, picks one of them. No path leads out,
// since none is ever opened that wasn't listed. A folder is its index.html; without one it
// is not found, and nothing lists it. Names that begin with a dot are not served, but for
// .well-known (RFC 8615).
//
// Only GET and HEAD are answered, ranges and conditions included (RFC 9110 §13, §14);
// each file has an ETag from its contents, so that browsers ask for it once and then
// whether it is still the same. Compressed files that lie beside the others as
// page.html.gz are sent to who takes gzip.
//
// The protocol is HTTP/1.1. A request's head may have 16 KB and take ten seconds.
package static
