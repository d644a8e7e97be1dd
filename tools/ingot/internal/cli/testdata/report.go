// Command report prints what it was started with and ends as it is told.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

func main() {
	fmt.Printf("%s/%s %q ANSWER=%s\n", runtime.GOOS, runtime.GOARCH, os.Args[1:], os.Getenv("ANSWER"))
	if os.Getenv("FAIL") != "" {
		panic("told to")
	}
	code, _ := strconv.Atoi(os.Getenv("STATUS"))
	os.Exit(code)
}
