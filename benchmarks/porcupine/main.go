// Command porcupine judges a history of registers with Porcupine, to be timed beside this project's own check.
//
// Standard input holds a line an operation: client, key, "read" or "write", value ("-": null), sent and done in
// nanoseconds, separated by spaces. Standard output gets one line: the verdict and the seconds that checking took,
// reading the input left out. Usage: porcupine SECONDS, after which the verdict is Unknown.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/anishathalye/porcupine"
)

type call struct {
	key   string
	write bool
	value string
}

var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, operation := range history {
			key := operation.Input.(call).key
			byKey[key] = append(byKey[key], operation)
		}
		parts := make([][]porcupine.Operation, 0, len(byKey))
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "-" },
	Step: func(state, input, output any) (bool, any) {
		if asked := input.(call); asked.write {
			return true, asked.value
		}
		return output == state, state
	},
}

func main() {
	seconds, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	history, err := read(bufio.NewReaderSize(os.Stdin, 1<<20))
	if err != nil {
		panic(err)
	}
	begin := time.Now()
	verdict := porcupine.CheckOperationsTimeout(register, history, time.Duration(seconds)*time.Second)
	fmt.Println(verdict, time.Since(begin).Seconds())
}

func read(input *bufio.Reader) ([]porcupine.Operation, error) {
	history := []porcupine.Operation{}
	lines := bufio.NewScanner(input)
	for lines.Scan() {
		var operation porcupine.Operation
		var asked call
		var kind string
		_, err := fmt.Sscan(lines.Text(), &operation.ClientId, &asked.key, &kind, &asked.value, &operation.Call, &operation.Return)
		if err != nil {
			return nil, err
		}
		asked.write = kind == "write"
		operation.Input, operation.Output = asked, asked.value
		history = append(history, operation)
	}
	return history, lines.Err()
}
