// Command porcupine judges a history of registers with Porcupine, to be timed beside this project's own check.
//
// Standard input holds a line an operation: client, key, kind, value, sent and done in nanoseconds, separated by spaces.
// Kinds are "read" and "write" ("-" is null), and "cas" of a value such as 1,2,true: expected, new, whether it was done.
// Standard output gets one line: the verdict, and the seconds and the seconds on CPUs that checking took, reading the
// input left out. Usage: porcupine SECONDS, after which the verdict is Unknown.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/anishathalye/porcupine"
)

type call struct {
	key      string
	kind     string
	value    string
	expected string
	done     bool
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
		asked := input.(call)
		switch asked.kind {
		case "write":
			return true, asked.value
		case "cas":
			if (asked.expected == state) != asked.done {
				return false, state
			}
			if asked.done {
				return true, asked.value
			}
			return true, state
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
	begin, cpu := time.Now(), cpuSeconds()
	verdict := porcupine.CheckOperationsTimeout(register, history, time.Duration(seconds)*time.Second)
	fmt.Println(verdict, time.Since(begin).Seconds(), cpuSeconds()-cpu)
}

func cpuSeconds() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

func read(input *bufio.Reader) ([]porcupine.Operation, error) {
	history := []porcupine.Operation{}
	lines := bufio.NewScanner(input)
	for lines.Scan() {
		var operation porcupine.Operation
		var asked call
		_, err := fmt.Sscan(
			lines.Text(), &operation.ClientId, &asked.key, &asked.kind, &asked.value, &operation.Call, &operation.Return)
		if err != nil {
			return nil, err
		}
		if asked.kind == "cas" {
			parts := strings.Split(asked.value, ",")
			if len(parts) != 3 {
				return nil, fmt.Errorf("a cas is EXPECTED,NEW,DONE, not %q", asked.value)
			}
			asked.expected, asked.value, asked.done = parts[0], parts[1], parts[2] == "true"
		}
		operation.Input, operation.Output = asked, asked.value
		history = append(history, operation)
	}
	return history, lines.Err()
}
