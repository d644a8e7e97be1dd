// A program with modules, like any other. (A test binary doesn't name its own.)
package main

import (
	"fmt"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() { fmt.Println(cdx.NewBOM().SpecVersion) }
