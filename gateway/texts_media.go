package gateway

// What became of a file. Those of a whole kind are the first part of a key; what a FileReason or a MediaKind says follows.
const (
	TextFileInTooLarge    TextKey = "file.in.too_large"
	TextFileInUnplaced    TextKey = "file.in.unplaced"
	TextFileInIncomplete  TextKey = "file.in.incomplete"
	TextFileInDisguised   TextKey = "file.in.disguised"
	TextFileOutTooLarge   TextKey = "file.out.too_large"
	TextFileOutType       TextKey = "file.out.type"
	TextFileOutRefused    TextKey = "file.out.refused"
	TextFileOutBroken     TextKey = "file.out.broken"
	TextFileOutBomb       TextKey = "file.out.bomb"
	TextFileOutIncomplete TextKey = "file.out.incomplete"
	TextFileOutForbidden  TextKey = "file.out.forbidden"
	TextFileOutGone       TextKey = "file.out.gone"
	TextFileInQuota       TextKey = "file.in.quota"
	TextFileInBeyond      TextKey = "file.in.beyond"
	TextFileOutQuota      TextKey = "file.out.quota"
	TextFileOutBeyond     TextKey = "file.out.beyond"
	TextFileOutMissing    TextKey = "file.out.missing"
	TextFileOutAway       TextKey = "file.out.away"

	textFileIn   TextKey = "file.in."
	textFileKind TextKey = "file.kind."
)
