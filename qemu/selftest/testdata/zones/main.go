// Command zones is a program with time zones, which a board itself has none of: it prints
// the local one, and when in UTC a day of January has its noon there.
package main

import (
	"fmt"
	"time"
	_ "time/tzdata"

	_ "ingot.dev/board"
)

func main() {
	fmt.Println("zone", time.Local, time.Date(2026, 1, 15, 12, 0, 0, 0, time.Local).UTC().Format(time.RFC3339))
}
