package main

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
)

//go:embed exceptions.txt
var exceptionsText string

// parseExceptions reads lines of the form "program: reason". Lines that are
// empty or start with # are comments.
func parseExceptions(text string) (map[string]string, error) {
	exceptions := map[string]string{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, _ := strings.Cut(line, ":")
		name, reason = strings.TrimSpace(name), strings.TrimSpace(reason)
		switch {
		case name == "" || reason == "":
			return nil, fmt.Errorf("line %d is not 'program: reason': %q", n, line)
		case exceptions[name] != "":
			return nil, fmt.Errorf("line %d: %s is there twice", n, name)
		}
		exceptions[name] = reason
	}
	return exceptions, nil
}

// checkExceptions returns an error for each exception that is of no effect,
// because no such program would be run on the target.
func checkExceptions(exceptions map[string]string, programs []program) error {
	state := map[string]string{}
	for _, p := range programs {
		state[p.name] = "ok"
		if p.excluded != "" {
			state[p.name] = "is not for the target anyway: " + p.excluded
		}
	}
	var errs []error
	for _, name := range sortedKeys(exceptions) {
		switch state[name] {
		case "ok":
		case "":
			errs = append(errs, fmt.Errorf("exception %s names no program that is run", name))
		default:
			errs = append(errs, fmt.Errorf("exception %s %s", name, state[name]))
		}
	}
	return errors.Join(errs...)
}
