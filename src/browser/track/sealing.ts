// Everything that needs age, in one piece of its own: loaded when somebody opens their receipt.
export { deriveReceipt } from '../../sealing/receipt-keys.ts'
export { openMessage, openMessagePhoto, sealMessage, sealMessagePhoto } from '../../sealing/message.ts'
