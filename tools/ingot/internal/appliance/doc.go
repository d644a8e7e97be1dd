// Package appliance makes a firmware from a configuration file, ingot.toml, instead of
// from a program.
//
//	a, err := appliance.Read("ingot.toml", appliance.Options{})
//	err = a.Generate(dir, module)    // a Go program; package image builds it
//
// The file is checked before anything is built: its syntax, the names and types of keys,
// and then everything that the firmware itself would check when it starts. For that, the
// services' own constructors are called here with the options that the file says, and
// their listeners are opened with the file's certificate store on a network that isn't
// there. So the rules are the services' own, and nothing that this package accepts is
// refused on the board for a reason that could have been known. All problems are
// reported at once, with line and column.
//
// The program that is generated names the constructors of the services in use with
// their options as literals. An image has no reader of configuration files in it, and no
// kind of service that it doesn't use.
//
// The keys are data ([Tables], [Kinds]): the checks, the generated program and the
// reference in docs/configuration.md come from it.
package appliance
