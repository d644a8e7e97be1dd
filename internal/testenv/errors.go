package testenv

// AllErrors returns the errors of a type in err's tree, in the order in which errors.As
// looks for the first.
func AllErrors[E error](err error) []E {
	var list []E
	if e, ok := err.(E); ok {
		list = append(list, e)
	}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		list = append(list, AllErrors[E](err.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, err := range err.Unwrap() {
			list = append(list, AllErrors[E](err)...)
		}
	}
	return list
}
