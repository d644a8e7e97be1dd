// Command site makes Ingot's documentation site from the Markdown files of the repository:
// static HTML that works from a folder or any web server, with nothing loaded from elsewhere.
//
//	go run ./tools/site -o build/site
//
// A link that leads nowhere, to a heading, a file or a folder, is an error, and so is a
// document that the table of contents (contents.go) doesn't have. Source files that
// documents link to become pages too.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "`folder` of Ingot's repository")
	out := flag.String("o", filepath.Join("build", "site"), "`folder` to make")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "site: %q is not understood; 'go run ./tools/site -h' says what is\n", flag.Args())
		os.Exit(2)
	}
	s, err := Read(*root)
	if err == nil {
		err = s.Write(*out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: %d documents, %d pages of sources\n", filepath.Join(*out, "index.html"), len(s.pages), len(s.sources))
}
