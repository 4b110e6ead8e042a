//go:build chaos

#include "textflag.h"

// func bentAt() uintptr
//
// Returns where bent begins. A function value of Go's would lead to the wrapper that the compiler puts around assembly; the runtime
// takes that for a place where it may change to another goroutine, on a stack that is not the goroutine's.
TEXT ·bentAt(SB), NOSPLIT, $0-8
	MOVQ $·bent(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func bent()
//
// Takes the place of clock_gettime in the vDSO (vdso(7)) and is called like it: DI is the clock, SI where the time goes. The
// real-time clock gets the seconds added that stand in the page; all others stay as they are.
TEXT ·bent(SB), NOSPLIT|NOFRAME, $0-0
	CMPL DI, $0 // CLOCK_REALTIME
	JEQ  wall
	MOVQ ·straight(SB), AX
	JMP  AX

wall:
	SUBQ $24, SP // the stack of a call in C stands at a multiple of 16
	MOVQ SI, 8(SP)
	MOVQ ·straight(SB), AX
	CALL AX
	MOVQ 8(SP), SI
	MOVQ ·ahead(SB), CX
	MOVQ (CX), CX
	ADDQ CX, 0(SI)
	ADDQ $24, SP
	RET
