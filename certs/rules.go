package certs

import (
	"fmt"
	"io"
	"path"
)

// A RuleReader is the code that reads CRLs and pins. It comes from [Rules].
type RuleReader struct {
	read func(in *inspector, dir string)
}

// Rules is for [Options]: it lets a store hold CRLs and pins. Programs that don't call
// it don't carry the code, about 45 KB of an image.
func Rules() RuleReader { return RuleReader{(*inspector).readRules} }

// rules are the lists and pins of a store.
type rules struct {
	crls []CRL
	pins []PinSet
}

func rulesOf(of any) *rules {
	if r, ok := of.(*rules); ok {
		return r
	}
	return &rules{}
}

// readRules is the part of Load and Inspect for a folder of CRLs or of pins.
func (in *inspector) readRules(dir string) {
	if in.report.rules == nil {
		in.report.rules, in.judgeRules = &rules{}, (*inspector).judgeCRLs
	}
	entries := in.readDir(dir)
	limit, suffix, read, what := MaxCRLs, crlSuffix, in.crl, "lists"
	if dir == pinsDir {
		limit, suffix, read, what = MaxPinSets, pinsSuffix, in.pinSet, "sets of pins"
	}
	if len(entries) > limit {
		in.problem(&FileError{File: dir, Kind: ErrTooMany,
			Reason: fmt.Sprintf("there are %d %s, and at most %d are allowed", len(entries), what, limit),
			Fix:    "keep those that this device needs"})
		return
	}
	for _, e := range entries {
		file := path.Join(dir, e.Name())
		if e.IsDir() || path.Ext(file) != suffix {
			in.problem(&FileError{File: file, Kind: ErrUnexpectedFile,
				Reason: "there is no place for this in the folder " + dir,
				Fix:    "it holds files whose name ends in " + suffix + "; 'ingot certs " + dir[:len(dir)-1] + "' makes them"})
			continue
		}
		read(file)
	}
}

// readRule returns a file's content of at most limit bytes, or reports why it cannot
// be had.
func (in *inspector) readRule(file string, limit int, what string) ([]byte, bool) {
	f, err := in.fsys.Open(file)
	if err != nil {
		in.problem(unreadable(file, err))
		return nil, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	switch {
	case err != nil:
		in.problem(unreadable(file, err))
	case len(data) > limit:
		in.problem(&FileError{File: file, Kind: ErrTooLarge,
			Reason: fmt.Sprintf("the file is larger than %d bytes", limit),
			Fix:    "put one " + what + " in a file"})
	case len(data) == 0:
		in.problem(&FileError{File: file, Kind: ErrEmptyFile,
			Reason: "the file is empty",
			Fix:    "put a " + what + " here, or remove the file"})
	default:
		return data, true
	}
	return nil, false
}
