package profile_test

import (
	"errors"
	"fmt"

	"ingot.dev/tools/profile"
)

func ExampleParse() {
	// As runtime/pprof, or a firmware's control connection, gave it.
	var data []byte
	p, err := profile.Parse(data)
	if errors.Is(err, profile.ErrNoSamples) || err != nil {
		fmt.Println("nothing was sampled")
		return
	}
	for _, layer := range profile.Layers() {
		fmt.Printf("%s: %.1f %%\n", layer, 100*p.Layers()[layer])
	}
	// Output: nothing was sampled
}
