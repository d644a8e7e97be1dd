package imx

import "ingot.dev/board/boards"

// DCD is what the ROM is told about a board's RAM.
func DCD(b boards.Board) []Command {
	var commands []Command
	for _, w := range b.ROM.DDR {
		commands = append(commands, Command{Op: Write, Width: 4, Address: w.Addr, Value: w.Value})
	}
	return commands
}
